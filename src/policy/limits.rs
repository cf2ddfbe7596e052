//! How much one push may hold.

/// Bounds of one push. The defaults fit an import of 10,000 commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most paths that one commit may change. Default 50,000: a vendored toolkit fits.
    pub changes_per_commit: u64,
    /// The most commits that may enter by one push. Default 20,000: twice a long history.
    pub commits_per_push: u64,
    /// The biggest file, in bytes. Default 100 MB: what forges accept; a bigger file belongs in Git LFS.
    pub file_size: u64,
    /// The most refs that one push may move. Default 1,000: every branch and tag of an import.
    pub refs_per_push: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { changes_per_commit: 50_000, commits_per_push: 20_000, file_size: 100_000_000, refs_per_push: 1_000 }
    }
}
