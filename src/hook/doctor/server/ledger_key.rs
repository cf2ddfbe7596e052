//! The ledger's own key, and the public half beside it.

use std::path::Path;

use super::super::{Check, Code, Finding, Fix, Group, Patient, file, quoted};
use crate::hook::server_setup::{KEY_FILE, SetupError, VKEY_FILE, read_signer};
use crate::ledger::check::chain;

/// Looks at both.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Key);
    let (key, vkey) = (patient.place.file(KEY_FILE), patient.place.file(VKEY_FILE));
    // Anything but a small file would be read whole below.
    for path in [&key, &vkey] {
        if let Err(error) = file::read(path) {
            check.add(unusable(path, &chain(&error), patient));
            return check;
        }
    }
    check.add_all(open_to_others(&key));
    check.add_all(of_another(patient, &key));
    match read_signer(&patient.place) {
        Ok(signer) => check.note(signer.vkey().to_string()),
        Err(error) => {
            check.add(broken(patient, &key, &vkey, &error));
            check
        }
    }
}

fn unusable(path: &Path, why: &str, patient: &Patient<'_>) -> Finding {
    let code = if path.ends_with(KEY_FILE) { Code::LedgerKeyDamaged } else { Code::VkeyDamaged };
    Finding::wrong(code, path.display().to_string(), why).try_this(put_back(patient, path))
}

/// No other key can go on with a ledger.
fn put_back(patient: &Patient<'_>, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let from = if path.ends_with(VKEY_FILE) { "CLONE/.git/mledger" } else { "BACKUP/mledger" };
    format!("cp {from}/{name} {}", quoted(&patient.place.file(&name)))
}

fn broken(patient: &Patient<'_>, key: &Path, vkey: &Path, error: &SetupError) -> Finding {
    let (code, path) = match error {
        SetupError::NoKey(_) => (Code::LedgerKeyMissing, key),
        SetupError::NoVkey(_) => (Code::VkeyMissing, vkey),
        SetupError::OtherKey(..) => (Code::LedgerKeyOther, key),
        SetupError::Vkey(_) | SetupError::Name(_) => (Code::VkeyDamaged, vkey),
        _ => (Code::LedgerKeyDamaged, key),
    };
    Finding::wrong(code, path.display().to_string(), chain(error)).try_this(put_back(patient, path))
}

fn open_to_others(key: &Path) -> Option<Finding> {
    let mode = file::mode(key).filter(|mode| mode & 0o077 != 0)?;
    let message = format!("others may read the ledger's private key ({mode:o}), and sign another history with it");
    let finding = Finding::wrong(Code::KeyOpen, key.display().to_string(), message);
    Some(finding.try_this(format!("chmod 600 {}", quoted(key))).fix(Fix::Private(key.to_owned())))
}

fn of_another(patient: &Patient<'_>, key: &Path) -> Option<Finding> {
    let (owner, expected) = (file::owner(key)?, file::owner(patient.repository.git_dir())?);
    if owner == expected {
        return None;
    }
    let message = format!("the ledger's private key is of user {owner}, and the repository of user {expected}");
    let command = format!("sudo chown {expected} {}", quoted(key));
    Some(Finding::wrong(Code::LedgerKeyOwner, key.display().to_string(), message).try_this(command))
}
