//! Who may associate, and on which terms (PS3.8 section 7.1 and annex D).

use super::ScpConfig;
use crate::dicom::ae::AeTitle;
use crate::dicom::link::{Link, LinkError, PDU_MAX, Received, Transport};
use crate::dicom::part10::{IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION};
use crate::dicom::syntax::{self, TransferSyntax};
use crate::dicom::uid::Uid;
use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderASCEReason, AssociationRJServiceProviderPresentationReason,
    AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ, Pdu,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    UserVariableItem,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tokio::time::timeout;

/// The only application context name (PS3.7 section A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// Most presentation contexts: odd identifiers from 1 to 255 (PS3.8 section 9.3.2.2).
const CONTEXTS_MAX: usize = 128;

/// Somebody who may associate. Both fields must fit where they are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its calling title; `None` fits every title.
    pub title: Option<AeTitle>,
    /// Its address; `None` fits every address.
    pub address: Option<IpAddr>,
}

impl Peer {
    fn fits(&self, title: &AeTitle, address: IpAddr) -> bool {
        self.title.as_ref().is_none_or(|t| t == title)
            // An IPv4 peer on a dual-stack socket is the same peer.
            && self.address.is_none_or(|a| a.to_canonical() == address.to_canonical())
    }
}

/// An accepted presentation context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) class: Uid,
    pub(super) syntax: &'static TransferSyntax,
}

/// An association that stands.
pub(super) struct Accepted<S> {
    pub(super) link: Link<S>,
    pub(super) calling: AeTitle,
    pub(super) contexts: BTreeMap<u8, Context>,
}

/// Why no association came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NegotiateError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the first PDU was no association request")]
    NotARequest,
    #[error("rejected: {0}")]
    Rejected(Reject),
}

/// Why an association is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reject {
    #[error("protocol version is not 1")]
    Version,
    #[error("unknown application context")]
    ApplicationContext,
    #[error("called AE title is not ours")]
    Called,
    #[error("calling AE title or address is not on the list")]
    Calling,
    #[error("malformed list of presentation contexts")]
    Contexts,
    #[error("too many associations")]
    Busy,
}

impl Reject {
    /// Result, source and reason (PS3.8 table 9-21).
    fn pdu(self) -> Pdu {
        use AssociationRJServiceProviderPresentationReason as Presentation;
        use AssociationRJServiceUserReason as User;
        let permanent = AssociationRJResult::Permanent;
        let (result, source) = match self {
            Self::Version => (
                permanent,
                AssociationRJSource::ServiceProviderASCE(
                    AssociationRJServiceProviderASCEReason::ProtocolVersionNotSupported,
                ),
            ),
            Self::ApplicationContext => {
                let reason = User::ApplicationContextNameNotSupported;
                (permanent, AssociationRJSource::ServiceUser(reason))
            }
            Self::Called => (
                permanent,
                AssociationRJSource::ServiceUser(User::CalledAETitleNotRecognized),
            ),
            Self::Calling => (
                permanent,
                AssociationRJSource::ServiceUser(User::CallingAETitleNotRecognized),
            ),
            Self::Contexts => (
                permanent,
                AssociationRJSource::ServiceUser(User::NoReasonGiven),
            ),
            Self::Busy => (
                AssociationRJResult::Transient,
                AssociationRJSource::ServiceProviderPresentation(Presentation::LocalLimitExceeded),
            ),
        };
        Pdu::AssociationRJ(AssociationRJ { result, source })
    }
}

/// Waits for the request and answers it.
///
/// # Errors
/// [`NegotiateError`]; the peer has then been told, and the connection is closed.
pub(super) async fn negotiate<S: Transport>(
    mut link: Link<S>,
    address: IpAddr,
    config: &ScpConfig,
) -> Result<Accepted<S>, NegotiateError> {
    let request = match request(&mut link, config).await {
        Ok(request) => request,
        Err(error) => {
            link.abort(AbortRQServiceProviderReason::UnexpectedPdu)
                .await;
            return Err(error);
        }
    };
    let peer_pdu_max = request.user_variables.iter().find_map(max_length);
    link.set_peer_pdu_max(peer_pdu_max);
    match answer(request, address, config) {
        Ok((reply, calling, contexts)) => {
            link.send(&Pdu::AssociationAC(reply)).await?;
            Ok(Accepted {
                link,
                calling,
                contexts,
            })
        }
        Err(reject) => {
            link.send(&reject.pdu()).await?;
            link.close().await;
            Err(NegotiateError::Rejected(reject))
        }
    }
}

/// Reads a request only to reject it.
pub(super) async fn reject_busy<S: Transport>(mut link: Link<S>) {
    let told = async {
        link.receive().await?;
        link.send(&Reject::Busy.pdu()).await
    };
    if told.await.is_ok() {
        link.close().await;
    }
}

async fn request<S: Transport>(
    link: &mut Link<S>,
    config: &ScpConfig,
) -> Result<AssociationRQ, NegotiateError> {
    let first = timeout(config.request_wait, link.receive()).await;
    match first.map_err(|_| LinkError::Timeout)?? {
        Received::Control(Pdu::AssociationRQ(request)) => Ok(request),
        Received::Control(_) | Received::Data(_) => Err(NegotiateError::NotARequest),
    }
}

/// The value of a Maximum Length item.
pub(in crate::dicom) fn max_length(item: &UserVariableItem) -> Option<u32> {
    if let UserVariableItem::MaxLength(length) = item {
        Some(*length)
    } else {
        None
    }
}

type Answer = (AssociationAC, AeTitle, BTreeMap<u8, Context>);

fn answer(request: AssociationRQ, address: IpAddr, config: &ScpConfig) -> Result<Answer, Reject> {
    if request.protocol_version & 1 == 0 {
        return Err(Reject::Version);
    }
    if request.application_context_name.trim_end_matches('\0') != APPLICATION_CONTEXT {
        return Err(Reject::ApplicationContext);
    }
    if AeTitle::parse(&request.called_ae_title).as_ref() != Ok(&config.title) {
        return Err(Reject::Called);
    }
    let calling = AeTitle::parse(&request.calling_ae_title).map_err(|_| Reject::Calling)?;
    if let Some(peers) = &config.peers
        && !peers.iter().any(|peer| peer.fits(&calling, address))
    {
        return Err(Reject::Calling);
    }
    let (results, contexts) = answer_contexts(request.presentation_contexts)?;
    let reply = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: results,
        user_variables: our_variables(),
    };
    Ok((reply, calling, contexts))
}

/// What we say of ourselves in a request or an answer (PS3.7 annex D.3.3).
pub(in crate::dicom) fn our_variables() -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(PDU_MAX),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
    ]
}

type Contexts = (Vec<PresentationContextResult>, BTreeMap<u8, Context>);

fn answer_contexts(proposed: Vec<PresentationContextProposed>) -> Result<Contexts, Reject> {
    if proposed.len() > CONTEXTS_MAX {
        return Err(Reject::Contexts);
    }
    let (mut results, mut accepted) = (Vec::with_capacity(proposed.len()), BTreeMap::new());
    for context in proposed {
        let id = context.id;
        if id.is_multiple_of(2)
            || results
                .iter()
                .any(|r: &PresentationContextResult| r.id == id)
        {
            return Err(Reject::Contexts);
        }
        let (reason, transfer_syntax) = match choose(&context) {
            Ok(chosen) => {
                let uid = chosen.syntax.uid;
                accepted.insert(id, chosen);
                (PresentationContextResultReason::Acceptance, uid)
            }
            // The field must be there and is not to be looked at.
            Err(reason) => (reason, syntax::IMPLICIT_LITTLE),
        };
        let transfer_syntax = transfer_syntax.to_owned();
        results.push(PresentationContextResult {
            id,
            reason,
            transfer_syntax,
        });
    }
    Ok((results, accepted))
}

/// The first proposed transfer syntax that is in our table: the order is the sender's wish.
fn choose(
    proposed: &PresentationContextProposed,
) -> Result<Context, PresentationContextResultReason> {
    let class = Uid::from_value(proposed.abstract_syntax.as_bytes())
        .ok()
        .filter(|class| class.as_str() == uids::VERIFICATION || is_storage(class.as_str()))
        .ok_or(PresentationContextResultReason::AbstractSyntaxNotSupported)?;
    let syntax = proposed
        .transfer_syntaxes
        .iter()
        .find_map(|uid| syntax::find(uid.trim_end_matches(['\0', ' '])))
        .ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)?;
    Ok(Context { class, syntax })
}

/// Storage classes of the standard outside its storage arc (PS3.4 table B.5-1, annex GG).
const STORAGE_ELSEWHERE: &[&str] = &[
    "1.2.840.10008.5.1.4.34.7",
    "1.2.840.10008.5.1.4.34.10",
    "1.2.840.10008.5.1.4.38.1",
    "1.2.840.10008.5.1.4.39.1",
    "1.2.840.10008.5.1.4.43.1",
    "1.2.840.10008.5.1.4.44.1",
    "1.2.840.10008.5.1.4.45.1",
];

/// Whether a class is a storage class: the standard's arc for them with whatever a later edition
/// adds, a few others, and every class outside the standard's root, since a private class that
/// is proposed to a storage SCP is a storage class.
pub(in crate::dicom) fn is_storage(class: &str) -> bool {
    class.starts_with("1.2.840.10008.5.1.4.1.1.")
        || STORAGE_ELSEWHERE.contains(&class)
        || !class.starts_with("1.2.840.10008.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(called: &str, calling: &str) -> AssociationRQ {
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: calling.to_owned(),
            called_ae_title: called.to_owned(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: Vec::new(),
            user_variables: Vec::new(),
        }
    }

    fn config(peers: Option<Vec<Peer>>) -> ScpConfig {
        ScpConfig {
            peers,
            ..ScpConfig::new(AeTitle::parse("RADMESH").expect("valid"))
        }
    }

    fn verdict(request: AssociationRQ, config: &ScpConfig) -> Option<Reject> {
        answer(request, IpAddr::from([10, 0, 0, 1]), config).err()
    }

    #[test]
    fn titles_and_addresses_are_checked() {
        let open = config(None);
        assert_eq!(verdict(request("RADMESH", "CT"), &open), None);
        assert_eq!(
            verdict(request("radmesh", "CT"), &open),
            Some(Reject::Called)
        );
        assert_eq!(
            verdict(request("RADMESH", ""), &open),
            Some(Reject::Calling)
        );
        let title = AeTitle::parse("CT").ok();
        let listed = |title: &Option<AeTitle>, address: Option<[u8; 4]>| {
            let address = address.map(IpAddr::from);
            config(Some(vec![Peer {
                title: title.clone(),
                address,
            }]))
        };
        let by = |config| verdict(request("RADMESH", "CT"), &config);
        assert_eq!(by(listed(&title, Some([10, 0, 0, 1]))), None);
        assert_eq!(
            by(listed(&title, Some([10, 0, 0, 2]))),
            Some(Reject::Calling)
        );
        assert_eq!(
            by(listed(&AeTitle::parse("MR").ok(), None)),
            Some(Reject::Calling)
        );
        assert_eq!(by(config(Some(Vec::new()))), Some(Reject::Calling));
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]);
        let list = listed(&title, Some([10, 0, 0, 1]));
        assert!(answer(request("RADMESH", "CT"), mapped, &list).is_ok());
    }

    #[test]
    fn foreign_protocols_are_rejected() {
        let mut version = request("RADMESH", "CT");
        version.protocol_version = 2;
        assert_eq!(verdict(version, &config(None)), Some(Reject::Version));
        let mut context = request("RADMESH", "CT");
        context.application_context_name = "1.2".to_owned();
        assert_eq!(
            verdict(context, &config(None)),
            Some(Reject::ApplicationContext)
        );
    }

    #[test]
    fn contexts_are_answered_one_by_one() {
        let proposed = |id, class: &str, syntaxes: &[&str]| PresentationContextProposed {
            id,
            abstract_syntax: class.to_owned(),
            transfer_syntaxes: syntaxes.iter().map(|&s| s.to_owned()).collect(),
        };
        let (results, accepted) = answer_contexts(vec![
            proposed(
                1,
                "1.2.840.10008.5.1.4.1.1.2",
                &["1.2.3", "1.2.840.10008.1.2.4.90"],
            ),
            proposed(3, "1.2.840.10008.5.1.4.1.2.2.1", &[syntax::IMPLICIT_LITTLE]),
            proposed(5, "1.3.12.2.1107.5.9.1", &[syntax::EXPLICIT_LITTLE]),
            proposed(7, uids::VERIFICATION, &["1.2.840.10008.1.2.4.94"]),
            proposed(9, "../etc", &[syntax::IMPLICIT_LITTLE]),
        ])
        .expect("a sound list");
        use PresentationContextResultReason as Reason;
        let reasons: Vec<_> = results.iter().map(|r| r.reason.clone()).collect();
        let expected = [
            Reason::Acceptance,
            Reason::AbstractSyntaxNotSupported,
            Reason::Acceptance,
            Reason::TransferSyntaxesNotSupported,
            Reason::AbstractSyntaxNotSupported,
        ];
        assert_eq!(reasons, expected);
        assert_eq!(accepted.keys().copied().collect::<Vec<_>>(), [1, 5]);
        assert_eq!(results[0].transfer_syntax, "1.2.840.10008.1.2.4.90");
        for ids in [[1, 1], [1, 2], [0, 1]] {
            let list = ids.map(|id| proposed(id, uids::VERIFICATION, &[syntax::IMPLICIT_LITTLE]));
            assert_eq!(answer_contexts(list.to_vec()).err(), Some(Reject::Contexts));
        }
    }
}
