//! Gossip: the topics, and how gossipsub is told to distrust what it carries.
//!
//! Nothing is forwarded before the consumer has judged it. A message is known by its payload's
//! SHA-256, so a replay under a new sequence number is a duplicate. Every list of topics
//! (subscription, whitelist, scoring, recognition) is made from [`Topic::ALL`].

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, PeerScoreParams,
    PeerScoreThresholds, TopicHash, TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use sha2::{Digest, Sha256};

use super::limits::GOSSIP_TRANSMIT_MAX;

/// What a member's score starts from: membership outweighs one invalid message, not two.
pub(super) const MEMBER_SCORE: f64 = 10.0;

/// Hospitals put many nodes behind one address; colocation counts only far above that.
const COLOCATION_MAX: f64 = 64.0;

/// How long a payload is remembered: an advert lives minutes, so no replay within its life passes.
const DUPLICATE_CACHE: Duration = Duration::from_secs(600);

/// How long a peer's score outlives its connection: reconnecting does not launder it.
const RETAIN_SCORE: Duration = Duration::from_secs(3600);

/// libp2p's gossipsub with our whitelist.
pub(super) type Behaviour =
    gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>;

/// A topic of a consortium's mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Signed capacity adverts of readers.
    Adverts,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 1] = [Self::Adverts];

    /// The topic's name in a consortium, with its version.
    #[must_use]
    pub fn name(self, consortium: &str) -> String {
        match self {
            Self::Adverts => format!("/radmesh/advert/1/{consortium}"),
        }
    }

    /// The topic as gossipsub knows it.
    pub(super) fn hash(self, consortium: &str) -> TopicHash {
        IdentTopic::new(self.name(consortium)).hash()
    }

    /// The topic behind gossipsub's name, if it is one of ours.
    pub(super) fn of_hash(hash: &TopicHash, consortium: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.hash(consortium) == *hash)
    }
}

/// A gossipsub behaviour subscribed to every topic of the consortium.
///
/// # Errors
/// gossipsub's own words, when it does not take our parameters: a mistake in this file.
pub(super) fn behaviour(keypair: &Keypair, consortium: &str) -> Result<Behaviour, GossipSetup> {
    let setup = |error: &dyn std::fmt::Display| GossipSetup(error.to_string());
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(GOSSIP_TRANSMIT_MAX)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .build()
        .map_err(|error| setup(&error))?;
    let whitelist: HashSet<TopicHash> = Topic::ALL
        .into_iter()
        .map(|topic| topic.hash(consortium))
        .collect();
    let mut gossip = Behaviour::new_with_subscription_filter(
        MessageAuthenticity::Signed(keypair.clone()),
        config,
        WhitelistSubscriptionFilter(whitelist),
    )
    .map_err(|error| setup(&error))?;
    gossip
        .with_peer_score(score_params(consortium), score_thresholds())
        .map_err(|error| setup(&error))?;
    for topic in Topic::ALL {
        gossip
            .subscribe(&IdentTopic::new(topic.name(consortium)))
            .map_err(|error| setup(&error))?;
    }
    Ok(gossip)
}

/// gossipsub refused its parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gossip parameters refused: {0}")]
pub struct GossipSetup(String);

/// A message is its payload.
fn message_id(message: &Message) -> MessageId {
    MessageId::from(Sha256::digest(&message.data).to_vec())
}

/// Membership lifts, invalid messages sink. Delivery quotas are off: adverts come when they come.
fn score_params(consortium: &str) -> PeerScoreParams {
    let topic = TopicScoreParams {
        topic_weight: 1.0,
        // P1: up to one point for an hour in the mesh.
        time_in_mesh_weight: 1.0 / 3600.0,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 3600.0,
        // P2: up to five points for bringing what is new.
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_decay: 0.99,
        first_message_deliveries_cap: 50.0,
        // P3 and P3b: off, a quiet topic is no fault.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // P4: squares; the fourth invalid message within some minutes silences a peer.
        invalid_message_deliveries_weight: -6.0,
        invalid_message_deliveries_decay: 0.995,
        ..TopicScoreParams::default()
    };
    let topics: HashMap<TopicHash, TopicScoreParams> = Topic::ALL
        .into_iter()
        .map(|name| (name.hash(consortium), topic.clone()))
        .collect();
    PeerScoreParams {
        topics,
        topic_score_cap: 10.0,
        app_specific_weight: 1.0,
        ip_colocation_factor_threshold: COLOCATION_MAX,
        retain_score: RETAIN_SCORE,
        ..PeerScoreParams::default()
    }
}

/// No peer exchange is ever accepted: addresses come from the roster.
fn score_thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -10.0,
        publish_threshold: -50.0,
        graylist_threshold: -80.0,
        accept_px_threshold: f64::MAX,
        opportunistic_graft_threshold: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::identity::keypair_of;
    use zeroize::Zeroizing;

    #[test]
    fn topics_are_found_by_their_own_consortium_only() {
        for topic in Topic::ALL {
            let hash = topic.hash("north");
            assert_eq!(Topic::of_hash(&hash, "north"), Some(topic));
            assert_eq!(Topic::of_hash(&hash, "south"), None);
        }
        assert_eq!(Topic::Adverts.name("north"), "/radmesh/advert/1/north");
    }

    #[tokio::test]
    async fn every_topic_is_subscribed_and_scored() {
        let gossip = behaviour(&keypair_of(&Zeroizing::new([1; 32])), "north").unwrap();
        for topic in Topic::ALL {
            assert!(gossip.topics().any(|hash| *hash == topic.hash("north")));
            let ident = IdentTopic::new(topic.name("north"));
            assert!(gossip.get_topic_params(&ident).is_some());
        }
    }

    #[test]
    fn one_invalid_message_is_forgiven_and_four_are_not() {
        let topic = Topic::Adverts.hash("north");
        let weight = score_params("north").topics[&topic].invalid_message_deliveries_weight;
        let after = |invalid: f64| MEMBER_SCORE + weight * invalid * invalid;
        assert!(after(1.0) > 0.0);
        assert!(after(2.0) < score_thresholds().gossip_threshold);
        assert!(after(4.0) < score_thresholds().graylist_threshold);
    }
}
