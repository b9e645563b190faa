//! The page attacked: it must stay well-formed, refer to nothing outside, and stay bounded,
//! whatever the archives say.

use super::html::{Html, grouped, size};
use super::*;
use crate::audit::header::{Header, Kind};
use crate::audit::query::{Cell, Question, Table};
use crate::audit::record::{CaseNote, Record};
use crate::audit::verify::tests::world::{self, Files, START, World};
use crate::audit::verify::verify;

/// The page on archives under these labels.
fn page(archives: &[(&str, &Files)], options: Options) -> String {
    let inputs: Vec<Input<'_>> = archives
        .iter()
        .map(|(label, source)| Input {
            label,
            source: *source,
        })
        .collect();
    let verdict = verify(&inputs, options);
    render(&inputs, (&verdict, options), &Ask::of(Question::Complete))
}

/// The elements that a page is made of.
const ELEMENTS: &str = "html head meta title style body header main footer nav section h1 \
    h2 h3 p ul li \
    a b code span div table caption thead tbody tr th td dl dt dd figure figcaption \
    svg desc rect strong time abbr ol";

/// Every tag of a page, after checking that each element is closed in order, and that none refers
/// to anything outside of the page.
fn tags(page: &str) -> Vec<String> {
    const VOID: [&str; 1] = ["meta"];
    let rest = page
        .strip_prefix("<!DOCTYPE html>\n")
        .expect("a document type");
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let mut rest = rest;
    while let Some((text, after)) = rest.split_once('<') {
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        found.push(tag.to_owned());
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let name = tag.split(' ').next().expect("a name");
        assert!(ELEMENTS.split(' ').any(|known| known == name), "{tag}");
        attributes(tag.strip_prefix(name).expect("its name"));
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty() && !rest.contains('>'), "{open:?}");
    found
}

/// Checks that attributes are ours, quoted, and lead nowhere.
fn attributes(text: &str) {
    const KNOWN: [&str; 22] = [
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "id",
        "class",
        "aria-labelledby",
        "aria-label",
        "role",
        "tabindex",
        "scope",
        "href",
        "viewBox",
        "preserveAspectRatio",
        "x",
        "y",
        "width",
        "height",
        "datetime",
        "title",
        "colspan",
    ];
    let mut rest = text;
    while let Some(after) = rest.strip_prefix(' ') {
        let (name, after) = after.split_once("=\"").expect("a quoted value");
        let (value, after) = after.split_once('"').expect("its end");
        assert!(KNOWN.contains(&name), "{name}");
        assert!(name != "href" || value.starts_with('#'), "{value}");
        rest = after;
    }
    assert_eq!(rest, "");
}

/// What a page must never have outside of its texts.
fn leads_nowhere(page: &str) {
    let written = tags(page);
    for outside in [
        "src=",
        "url(",
        "@import",
        "@font-face",
        "http:",
        "https:",
        "javascript:",
        "<script",
    ] {
        assert!(
            written.iter().all(|tag| !tag.contains(outside)),
            "{outside}"
        );
        assert!(!style::CSS.contains(outside), "{outside}");
    }
    let policy = page.find("Content-Security-Policy").expect("a policy");
    assert!(page[policy..].starts_with(
        "Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src \
         &#39;unsafe-inline&#39;; "
    ));
    // The policy comes before the style and all that could be loaded.
    assert!(policy < page.find("<style>").expect("a style"));
}

#[test]
fn a_clean_pair_gives_a_whole_page() {
    let mut world = World::new();
    world.whole_case();
    world.now += 86_400;
    world.whole_case();
    let (hospital, reader) = (world.archive(true), world.archive(false));
    let archives = [("nord", &hospital), ("sued", &reader)];
    let page = page(&archives, Options::default());
    leads_nowhere(&page);
    for told in [
        "CONSISTENT, BUT WHOSE IT IS WAS NOT PROVEN",
        "2 releases to another country, with 83886080 bytes in 240 objects.",
        "DE to AT",
        "2 releases, 83.8 MB",
        "a bar of full height is 41.9 MB",
        "Nothing failed.",
        "nord.example/log, Member 1",
        "w1 at 2027-01-16",
        "Whether the council signed a newer quorum file",
        "This answer is complete",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert_eq!(page.matches("<rect ").count(), 2);
    assert_eq!(
        page.matches("<caption>").count(),
        page.matches("<table>").count()
    );
    // The same archives give the same page.
    assert_eq!(page, super::tests::page(&archives, Options::default()));
}

#[test]
fn the_verdict_is_said_in_plain_words() {
    let mut world = World::new();
    world.whole_case();
    let mut archive = world.archive(true);
    let genesis = crypto::digest::Digest::sha256(&world.genesis);
    let pinned = Options {
        genesis: Some(genesis),
        ..Options::default()
    };
    assert!(page(&[("a", &archive)], pinned).contains(">VERIFIED</p>"));
    let trusted = Options {
        trust_archive: true,
        ..Options::default()
    };
    assert!(page(&[("a", &archive)], trusted).contains("OWN FOUNDING DOCUMENT</p>"));
    archive.remove("trust/policy.cedar");
    let failed = page(&[("a", &archive)], pinned);
    assert!(failed.contains(">NOT VERIFIED</p>"));
    assert!(failed.contains("trust/policy.cedar"));
    assert!(failed.contains("archives that verify: nothing proves what these say"));
    leads_nowhere(&failed);
    leads_nowhere(&page(&[], pinned));
    leads_nowhere(&page(&[("empty", &Files::new())], pinned));
}

/// What a stranger may try.
const ATTACKS: [&str; 8] = [
    "</td></tr></table><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><style>@import url(http://a.example/x.css)</style>",
    "<!-- ",
    "&lt;script&gt; &amp &#60;",
    "]]><svg/onload=alert(1)>",
    "\u{202e}\u{0}\u{1b}[2J\u{feff}</title>",
];

#[test]
fn what_strangers_write_stays_text() {
    for attack in ATTACKS {
        let mut world = World::new();
        world.release = Header {
            source: attack.to_owned(),
            basis: attack.to_owned(),
            purpose: attack.to_owned(),
            legal_role: attack.to_owned(),
            emergency: true,
            ..world.release
        };
        let mut grant = world::grant(1);
        grant.rules = vec![attack.chars().take(60).collect()];
        world.grant_as(&grant, world::HOSPITAL_GRANTS);
        let mut archive = world.archive(true);
        // A file of that name: the verification names it.
        archive.insert(attack.to_owned(), attack.as_bytes().to_vec());
        archive.insert("trust/quorum.policy".to_owned(), attack.as_bytes().to_vec());
        let page = page(&[(attack, &archive)], Options::default());
        leads_nowhere(&page);
        for raw in [
            "<script",
            "<img",
            "<svg/",
            "onerror=alert(1)>",
            "<!-- ",
            "</td></tr></table><",
        ] {
            assert!(!page.contains(raw), "{raw}");
        }
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!page.contains('\u{202e}') && !page.contains('\u{feff}'));
    }
}

#[test]
fn times_at_the_end_of_time_are_only_shown() {
    let mut world = World::new();
    world.grant();
    let header = Header {
        time_us: u64::MAX,
        uncertainty_us: u64::MAX,
        emergency: true,
        ..world::header(Kind::CaseOpened)
    };
    world.append_as_is(true, header, Record::CaseClosed(CaseNote::default()));
    leads_nowhere(&page(&[("a", &world.archive(true))], Options::default()));
}

#[test]
fn a_page_is_bounded_and_says_what_it_leaves_out() {
    let mut world = World::new();
    world.grant();
    let mut archive = world.archive(true);
    for number in 0..ROWS_SHOWN + 50 {
        archive.insert(format!("stray/{number}"), Vec::new());
    }
    let page = page(&[("a", &archive)], Options::default());
    assert_eq!(page.matches("<td class=\"t\">stray/").count(), ROWS_SHOWN);
    assert!(page.contains("50 rows more are not shown here."));
    leads_nowhere(&page);

    // Past the bound of the page no row is written at all.
    let mut table = Table::new("rows", &["a"]);
    table.push(vec!["shown".into()]);
    let mut html = Html::default();
    let line = "x".repeat(4_000);
    for _ in 0..=BYTES_MAX / 4_000 {
        html.text(&line);
    }
    html.table(&table);
    let written = html.finish();
    assert!(!written.contains("shown<") && written.contains("1 rows more are not shown here."));
}

/// The drawing of volumes on these days since 2027-01-15.
fn drawn(days: &[(&str, &str, u64, u64)]) -> String {
    let mut table = Table::new(
        "by day (UTC)",
        &["from", "to", "day", "releases", "bytes", "objects"],
    );
    for (from, to, day, bytes) in days {
        let day = crate::audit::query::when::day((START + day * 86_400) * 1_000_000);
        let counts = [1, *bytes, 1].map(Cell::Count);
        let mut row = vec![(*from).into(), (*to).into(), day.into()];
        row.extend(counts);
        table.push(row);
    }
    let mut html = Html::default();
    plot::draw(&mut html, &table);
    html.finish()
}

#[test]
fn volumes_are_drawn_to_one_scale() {
    let text = drawn(&[
        ("DE", "AT", 0, 1_000),
        ("DE", "AT", 2, 500),
        ("KR", "KR", 2, 0),
    ]);
    assert!(
        text.contains("a bar is one day (UTC), a bar of full height is 1.0 kB"),
        "{text}"
    );
    assert_eq!(text.matches("<svg ").count(), 2);
    assert!(text.contains("KR, within the country"), "{text}");
    assert!(
        text.contains(" x=\"0\" y=\"0\" width=\"34\" height=\"56\""),
        "{text}"
    );
    assert!(
        text.contains(" x=\"84\" y=\"28\" width=\"34\" height=\"28\""),
        "{text}"
    );
    // What was released shows, however little.
    assert!(
        text.contains(" y=\"55\" width=\"34\" height=\"1\""),
        "{text}"
    );
    assert_eq!(drawn(&[]), "");
}

#[test]
fn many_days_and_pairs_are_drawn_within_bounds() {
    let days: Vec<_> = (0..5_000).map(|day| ("DE", "AT", day, u64::MAX)).collect();
    let text = drawn(&days);
    assert!(text.contains("a bar is 84 days"), "{text}");
    assert!(text.matches("<rect ").count() <= 60);
    let names: Vec<String> = (0..12).map(|number| format!("C{number}")).collect();
    let pairs: Vec<_> = names.iter().map(|name| (&**name, "AT", 0, 10)).collect();
    let text = drawn(&pairs);
    assert_eq!(text.matches("<svg ").count(), 8);
    assert!(text.contains("4 pairs with less volume"), "{text}");
    // A day that no calendar of four digits has is told, and not drawn.
    let text = drawn(&[("DE", "AT", 0, 1), ("DE", "AT", 200_000_000, 1)]);
    assert!(text.contains("1 rows could not be drawn"), "{text}");
}

#[test]
fn the_page_asks_everything_but_who() {
    let asked = questions::ASKED.map(|(question, ..)| question);
    for question in Question::ALL {
        assert_eq!(
            asked.contains(&question),
            question != Question::Who,
            "{question}"
        );
    }
}

#[test]
fn numbers_are_written_for_people() {
    let written = [0, 999, 1_000, 12_345_678].map(grouped);
    assert_eq!(written, ["0", "999", "1,000", "12,345,678"]);
    let sizes = [0, 999, 1_000, 83_886_080, u64::MAX].map(size);
    assert_eq!(
        sizes,
        ["0 bytes", "999 bytes", "1.0 kB", "83.8 MB", "18,446.7 PB"]
    );
}
