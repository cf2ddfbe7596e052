//! The words that write a leaf's kind, each a type of one value.

use serde::{Deserialize, Serialize};

/// Declares the one-valued types that write a leaf's kind.
macro_rules! kinds {
    ($($name:ident = $text:literal),+) => {$(
        #[doc = concat!("The word `", $text, "`.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            #[doc = concat!("The word `", $text, "`.")]
            #[default]
            #[serde(rename = $text)]
            Is,
        }
    )+};
}

kinds!(
    GenesisKind = "genesis",
    PolicyKind = "policy",
    CommitKind = "commit",
    PushKind = "push",
    LandedKind = "landed",
    ObservedKind = "observed",
    ImportKind = "import",
    ReconcileKind = "reconcile",
    DenialsKind = "denials"
);
