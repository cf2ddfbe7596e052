//! An annotated tag is signed by an enrolled actor.

use super::Listed;
use super::findings::Findings;
use super::pusher::key_reason;
use crate::clock::Timestamp;
use crate::policy::document::Policy;
use crate::policy::facts::Signature;
use crate::policy::reason::{Code, Reason};

pub(super) fn check(policy: &Policy, time: Timestamp, listed: &Listed<'_>, findings: &mut Findings) {
    let Some(tag) = &listed.update.tag else { return };
    let denial = match &tag.signature {
        Signature::Missing => Some(Reason::new(Code::TagUnsigned)),
        Signature::Invalid { why } => Some(Reason::new(Code::TagSignatureInvalid).with_detail(why)),
        Signature::Valid { key } => policy.actor_of_key(key, time).err().map(|problem| key_reason(&problem)),
    };
    if let Some(denial) = denial {
        findings.note(Reason { refname: Some(listed.update.refname.clone()), ..denial });
    }
}
