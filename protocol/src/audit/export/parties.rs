//! Who took part: the two ends of a flow with their roles, and the person.

use super::event::{Event, Side};
use super::table::{Flow, Rest, Role};

/// Who it was.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The node that wrote the log, by the log's origin, and its organisation.
    Own(String, String),
    /// Another node, by its key.
    Node(String),
    /// A person, by their key.
    Person(String),
    /// A system by the name that the node calls it.
    System(String),
    /// It is in the log, and not opened.
    Sealed,
    /// The log does not have it.
    NotLogged,
}

/// One participant.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Party {
    pub(super) who: Who,
    /// `None` for a person: they have a role in the care, not in the flow.
    pub(super) role: Option<Role>,
    /// Whether they asked for what happened.
    pub(super) asked: bool,
}

/// All participants: the ends of the flow first, the person last.
pub(super) fn of(event: &Event) -> Vec<Party> {
    let own = Who::Own(event.place.origin.clone(), event.header.source.clone());
    let person = event.opened.person.clone();
    let row = event.row();
    let mut parties = match row.flow {
        Flow::Own => vec![Party {
            who: own,
            role: Some(Role::Application),
            asked: false,
        }],
        Flow::FromSystem => ends(Who::NotLogged, own),
        Flow::ToSystem => {
            let named = event.opened.destination.clone().map(Who::System);
            ends(own, named.unwrap_or_else(|| unopened(event)))
        }
        Flow::FromPeer => ends(peer(event), own),
        Flow::ToPeer => ends(own, peer(event)),
        Flow::Fetch => fetch(event, own),
    };
    let client = row.rest.map_or(Role::Source, Rest::client);
    let asks = match row.flow {
        Flow::Fetch => Role::Destination,
        Flow::Own => Role::Application,
        Flow::FromSystem | Flow::ToSystem | Flow::FromPeer | Flow::ToPeer => client,
    };
    // A person asks; where none is known, the node that acted.
    let acts = person.is_some() && acts(event);
    for party in &mut parties {
        party.asked = !acts && party.role == Some(asks);
    }
    if let Some(person) = person {
        parties.push(Party {
            who: Who::Person(person),
            role: None,
            asked: acts,
        });
    }
    parties
}

/// Whether the person did what is logged, or was only concerned by it.
fn acts(event: &Event) -> bool {
    use crate::audit::header::Kind;
    let by_person = [
        Kind::GrantAccepted,
        Kind::ReceiptAccepted,
        Kind::CaseClaimed,
        Kind::AccessBegun,
        Kind::AccessEnded,
        Kind::ReportSigned,
        Kind::ReportReceived,
        Kind::ReleaseRefused,
    ];
    event.kind.is_some_and(|kind| by_person.contains(&kind))
}

fn ends(source: Who, destination: Who) -> Vec<Party> {
    let end = |who, role| Party {
        who,
        role: Some(role),
        asked: false,
    };
    vec![
        end(source, Role::Source),
        end(destination, Role::Destination),
    ]
}

fn fetch(event: &Event, own: Who) -> Vec<Party> {
    match (event.opened.side, &event.opened.nodes) {
        (Some(Side::Owner), Some((_, desk))) => ends(own, Who::Node(desk.clone())),
        (Some(Side::Desk), Some((owner, _))) => ends(Who::Node(owner.clone()), own),
        // Which end wrote the log is not known without the grant.
        (Some(Side::Owner | Side::Desk) | None, _) => ends(Who::Sealed, Who::Sealed),
    }
}

fn peer(event: &Event) -> Who {
    match &event.opened.peer {
        Some(peer) => Who::Node(peer.clone()),
        None => unopened(event),
    }
}

/// Not opened, or opened and not there.
fn unopened(event: &Event) -> Who {
    if event.sealed.is_empty() {
        Who::NotLogged
    } else {
        Who::Sealed
    }
}

impl Who {
    /// The text that stands for them where one must stand (UserID).
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Own(id, _) | Self::Node(id) | Self::Person(id) | Self::System(id) => id,
            Self::Sealed => "sealed",
            Self::NotLogged => "not logged",
        }
    }

    /// Where a node is reached: it is known by its key or its log, not by an address.
    pub(super) fn access_point(&self) -> Option<String> {
        match self {
            Self::Own(origin, _) => {
                Some(format!("urn:radmesh:log:{}", super::text::in_uri(origin)))
            }
            Self::Node(key) => Some(format!("urn:radmesh:node:{key}")),
            Self::Person(_) | Self::System(_) | Self::Sealed | Self::NotLogged => None,
        }
    }
}
