//! The demo's viewer: fetches instances from a reader's DICOMweb and holds them against what was
//! sent.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::pacs::{self, Study};
use crate::files;

/// The longest wait for one instance.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes beside the file as it was sent: the answer's head, and a head of DICOM that is ours.
const BESIDE: u64 = 1 << 20;
/// How much longer an instance may be that was sent deflated and is kept inflated.
const INFLATED: u64 = 1_032;
/// The longest token's file.
const TOKEN_MAX: u64 = 1_024;
/// The end of an answer's head.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A DICOMweb endpoint with what opens it. No Debug: it holds the session's secret.
pub(super) struct Viewer {
    host: String,
    prefix: String,
    token: Zeroizing<String>,
}

impl Viewer {
    /// A viewer of `url` (`http://HOST:PORT/PREFIX`), with the token in a file.
    pub(super) fn open(url: &str, token: &Path) -> anyhow::Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .context("the viewer's address is no http")?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let text = files::read_secret(token, TOKEN_MAX)?;
        let token = Zeroizing::new(text.trim().to_owned());
        Ok(Self {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            token,
        })
    }

    /// Fetches every instance of a study and compares all it holds. Gives objects and bytes.
    pub(super) async fn compare(&self, study: &Study) -> anyhow::Result<(u64, u64)> {
        let (mut objects, mut bytes) = (0, 0);
        for sent in &study.instances {
            let path = format!(
                "studies/{}/series/{}/instances/{}",
                study.uid, sent.series, sent.instance
            );
            let most = sent.bytes.saturating_mul(INFLATED).min(pacs::FILE_MAX) + BESIDE;
            let got = timeout(ANSWER, self.get(&path, most)).await;
            let got = got.context("the desk does not answer")??;
            let (_, content) = pacs::read(&got).context("the desk's answer is no DICOM")?;
            if content != sent.content {
                bail!(
                    "{}: the reader sees other pixels than were sent",
                    sent.file.display()
                );
            }
            objects += 1;
            bytes += got.len() as u64;
        }
        Ok((objects, bytes))
    }

    /// One answer's body. HTTP/1.0, so that the body ends where the connection does.
    async fn get(&self, path: &str, most: u64) -> anyhow::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.host).await?;
        let request = Zeroizing::new(format!(
            "GET /{}/{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Accept: application/dicom; transfer-syntax=*\r\n\r\n",
            self.prefix, self.host, *self.token
        ));
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(most).read_to_end(&mut answer).await?;
        let end = answer.windows(HEAD_END.len()).position(|at| at == HEAD_END);
        let end = end.context("the answer has no head")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let line = head.lines().next().unwrap_or_default();
        if line.split_whitespace().nth(1) != Some("200") {
            bail!("the desk says {line}");
        }
        Ok(answer.split_off(end + HEAD_END.len()))
    }
}
