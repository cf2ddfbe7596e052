//! A ledger in a temporary folder, for the tests of whatever stands on one.

use super::append::{Batch, Locked, Signer};
use super::place::Place;
use super::read::Log;
use crate::clock::Timestamp;
use crate::entry::field::Field;
use crate::entry::leaf::{Baseline, Genesis, GenesisKind, Leaf, Push, PushKind, Range, Update, VERSION, Verdict};
use crate::git::{Durable, Repository};
use crate::identity::ed25519::SecretKey;
use crate::name::Origin;
use crate::policy::facts::Pusher;

/// A bare repository with a ledger that has begun.
pub struct Server {
    _folder: tempfile::TempDir,
    pub repository: Durable,
    pub place: Place,
    pub signer: Signer,
}

impl Server {
    /// Begins a ledger at `time` whose baseline holds these lines of commits and refs.
    pub fn begin(time: Timestamp, commits: &str, refs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let place = Place::in_repository(repository.git_dir());
        place.create().unwrap();
        let origin = Origin::parse("git.bank.example/models").unwrap();
        let signer = Signer { origin, key: SecretKey::from_seed(&[7; 32]) };
        let field = |text: &str| Field::Inline(text.to_owned());
        let genesis = Genesis {
            baseline: Baseline { commits: field(commits), refs: field(refs) },
            kind: GenesisKind::Is,
            login: None,
            mledger: VERSION,
            origin: signer.origin.clone(),
            policy: field("policy"),
            time,
            vkey: signer.vkey().to_string(),
        };
        let leaves = vec![Leaf::Genesis(Box::new(genesis))];
        let batch = Batch { leaves, policy: Some("policy".to_owned()), ..Batch::default() };
        let repository = place.durable(repository).unwrap();
        Locked::create(&repository, &place, &signer).unwrap().append(&batch).unwrap();
        Self { _folder: folder, repository, place, signer }
    }

    pub fn append(&self, leaves: Vec<Leaf>) {
        let mut locked = Locked::open(&self.repository, &self.place, &self.signer).unwrap();
        locked.append(&Batch { leaves, ..Batch::default() }).unwrap();
    }

    pub fn log(&self) -> Log<'_> {
        Log::open(&self.repository, Some(&self.signer.vkey())).unwrap()
    }
}

/// An accepted push of one update, without commits, by nobody known.
pub fn push(time: Timestamp, update: Update) -> Push {
    Push {
        actor: None,
        certificate: None,
        clock: None,
        commits: Range { count: 0, first: 0 },
        decider: 1,
        decision: Verdict::Accepted,
        facts: None,
        kind: PushKind::Is,
        mledger: VERSION,
        policy: 0,
        pusher: Pusher::Unknown,
        reasons: Vec::new(),
        time,
        updates: vec![update],
        updates_more: None,
    }
}
