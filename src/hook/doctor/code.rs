//! The words for what can be found, for programs. A word never changes its meaning.

use serde::Serialize;

/// What a [`super::Finding`] is; in JSON its name in kebab-case, such as `hook-missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// `actor-differs`: the policy knows the key as somebody else than who is configured here.
    ActorDiffers,
    /// `actor-expired`: the actor is none any more, by the policy.
    ActorExpired,
    /// `actor-malformed`: `mledger.actor` names nobody.
    ActorMalformed,
    /// `admin-expires`: soon too few admins have a valid key to change the policy.
    AdminExpires,
    /// `admin-none`: too few admins have a valid key to change the policy.
    AdminNone,
    /// `agent-unreachable`: the key is an agent's, and none answers.
    AgentUnreachable,
    /// `alternate-missing`: objects are borrowed from a folder that is not there.
    AlternateMissing,
    /// `authorisation-open`: nothing says what became of an accepted push.
    AuthorisationOpen,
    /// `checkpoint-damaged`: the newest checkpoint that a clone saw is missing or cannot be read.
    CheckpointDamaged,
    /// `clock-behind`: the clock is behind the ledger's newest entry.
    ClockBehind,
    /// `commit-unbound`: a commit has no manifest trailer, or one of other contents.
    CommitUnbound,
    /// `commit-unsigned`: a commit has no signature that counts.
    CommitUnsigned,
    /// `disk-full`: nothing can be written any more.
    DiskFull,
    /// `disk-low`: little can be written any more.
    DiskLow,
    /// `email-unset`: Git does not know the person's address.
    EmailUnset,
    /// `environment`: a variable points every Git of the shell elsewhere.
    Environment,
    /// `followed-damaged`: the fetched copy of the ledger cannot be used.
    FollowedDamaged,
    /// `git-missing`: there is no Git.
    GitMissing,
    /// `git-old`: Git lacks something that is needed or wanted.
    GitOld,
    /// `grafts`: commits have other parents here than those that were signed.
    Grafts,
    /// `hashes-damaged`: the cache of the tree's hashes does not give the ledger's root.
    HashesDamaged,
    /// `hook-doubled`: the hook that ours runs first is ours as well.
    HookDoubled,
    /// `hook-missing`: one of our hooks is not there.
    HookMissing,
    /// `hook-not-executable`: Git passes by one of our hooks.
    HookNotExecutable,
    /// `hook-old`: a hook is of, or calls, another version of mledger.
    HookOld,
    /// `hook-program-gone`: a hook calls a program that cannot be run.
    HookProgramGone,
    /// `hook-replaced`: another program's hook stands in the place of ours.
    HookReplaced,
    /// `hook-unheard`: another program's hook came where Git does not look any more.
    HookUnheard,
    /// `hook-unreadable`: what lies in a hook's place cannot be read.
    HookUnreadable,
    /// `hooks-elsewhere`: Git runs the hooks of a folder outside of the repository.
    HooksElsewhere,
    /// `hooks-unreadable`: the folder of the hooks cannot be read.
    HooksUnreadable,
    /// `inbox-left`: a statement was left in the inbox.
    InboxLeft,
    /// `index-damaged`: an index of the ledger is no database any more.
    IndexDamaged,
    /// `key-expired`: the policy's time for the key is over.
    KeyExpired,
    /// `key-expires`: the policy's time for the key is over soon.
    KeyExpires,
    /// `key-halves`: the two files of a key do not belong together.
    KeyHalves,
    /// `key-kind`: a key that does not count.
    KeyKind,
    /// `key-locked`: the key has a passphrase, and no agent holds it.
    KeyLocked,
    /// `key-missing`: the key's files are not there.
    KeyMissing,
    /// `key-not-in-agent`: the agent, who alone could have it, does not hold the key.
    KeyNotInAgent,
    /// `key-not-yet-valid`: the policy's time for the key has not begun.
    KeyNotYetValid,
    /// `key-open`: others may read a private key.
    KeyOpen,
    /// `key-public-missing`: the public half is not beside the private one.
    KeyPublicMissing,
    /// `key-revoked`: the policy has revoked the key.
    KeyRevoked,
    /// `key-unreadable`: what lies in the key's place cannot be read.
    KeyUnreadable,
    /// `key-unset`: no key is configured.
    KeyUnset,
    /// `last-checkpoint-damaged`: a copy of the newest checkpoint holds none of this ledger.
    LastCheckpointDamaged,
    /// `last-checkpoint-missing`: a copy of the newest checkpoint is not there.
    LastCheckpointMissing,
    /// `ledger-contradicts`: the remote shows another ledger than this clone has seen.
    LedgerContradicts,
    /// `ledger-damaged`: the ledger cannot be read.
    LedgerDamaged,
    /// `ledger-forked`: the ledger does not extend what it has signed.
    LedgerForked,
    /// `ledger-gone`: the ledger's ref was removed.
    LedgerGone,
    /// `ledger-hidden`: nobody can fetch the ledger.
    LedgerHidden,
    /// `ledger-key-damaged`: the ledger's private key cannot be read.
    LedgerKeyDamaged,
    /// `ledger-key-missing`: the ledger's private key is not there.
    LedgerKeyMissing,
    /// `ledger-key-other`: the ledger's private key is not that of its public key.
    LedgerKeyOther,
    /// `ledger-key-owner`: the ledger's private key is another user's.
    LedgerKeyOwner,
    /// `ledger-set-back`: the ledger is shorter than what it has signed.
    LedgerSetBack,
    /// `lock-held`: a lock is old, and a Git is at work.
    LockHeld,
    /// `lock-stale`: a lock was left by a process that died.
    LockStale,
    /// `login-differs`: the source of logins is not the one that the ledger began with.
    LoginDiffers,
    /// `name-unset`: Git does not know the person's name.
    NameUnset,
    /// `no-ledger`: the remote has no ledger.
    NoLedger,
    /// `no-remote`: there is no remote whose ledger could be followed.
    NoRemote,
    /// `no-repository`: there is no repository.
    NoRepository,
    /// `not-enrolled`: the policy does not know the key.
    NotEnrolled,
    /// `not-followed`: the remote has a ledger, and the clone does not follow it.
    NotFollowed,
    /// `not-owned`: the repository is another user's, so Git does not trust it.
    NotOwned,
    /// `not-set-up`: nobody has run `mledger init` here.
    NotSetUp,
    /// `not-writable`: the server's owner may not write to it.
    NotWritable,
    /// `other-user`: the caller is not the server's owner.
    OtherUser,
    /// `owners-mixed`: some of a server's files are another user's.
    OwnersMixed,
    /// `policy-unreadable`: the policy in force cannot be read by this version.
    PolicyUnreadable,
    /// `proc-receive`: some refs move past the hooks.
    ProcReceive,
    /// `quarantine-left`: a push that died left its objects aside.
    QuarantineLeft,
    /// `ref-unexplained`: a ref stands where the ledger did not put it.
    RefUnexplained,
    /// `remote-unreachable`: the remote does not answer.
    RemoteUnreachable,
    /// `replaced`: Git shows other objects than those that were signed.
    Replaced,
    /// `repository-unreadable`: Git cannot work with the repository.
    RepositoryUnreadable,
    /// `setting-overridden`: a setting is not what `init` made it.
    SettingOverridden,
    /// `setting-unset`: a setting that `init` makes is not there.
    SettingUnset,
    /// `shallow`: the history is cut.
    Shallow,
    /// `ssh-keygen-missing`: what signs is not in `PATH`.
    SshKeygenMissing,
    /// `ssh-old`: OpenSSH is too old to sign.
    SshOld,
    /// `ssh-program`: what is configured to sign cannot be run.
    SshProgram,
    /// `unfinished`: the set-up of a gate was interrupted.
    Unfinished,
    /// `unknown`: something could not be looked at.
    Unknown,
    /// `unsupported`: the repository has a format that is not supported.
    Unsupported,
    /// `vkey-damaged`: the file with the ledger's public key cannot be read.
    VkeyDamaged,
    /// `vkey-missing`: the file with the ledger's public key is not there.
    VkeyMissing,
}
