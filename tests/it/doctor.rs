//! `mledger doctor`: whatever is broken, as a person or a tool would break it, is found by its code; the command that it
//! names, or `--fix`, mends it, and then it is gone.

mod clone;
mod hostile;
mod key;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bank::Bank;
use crate::formats::{fits, schema};
use crate::world::{MLEDGER, Person, Run};

/// Somebody with a repository, in which they run the doctor.
pub struct Ward {
    pub dir: PathBuf,
    pub person: Person,
    /// What the words in capitals of a command stand for.
    pub words: Vec<(&'static str, String)>,
}

impl Ward {
    pub fn new(person: &Person, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), person: person.clone(), words: Vec::new() }
    }

    pub fn means(mut self, word: &'static str, value: &str) -> Self {
        self.words.push((word, value.to_owned()));
        self
    }

    /// The same repository, with one more environment variable.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self { dir: self.dir.clone(), person: self.person.with(name, value), words: self.words.clone() }
    }

    pub fn git(&self, words: &[&str]) -> String {
        self.person.git(&self.dir, words).ok()
    }

    /// Types a line into a shell that finds the binary under test.
    pub fn shell(&self, line: &str) -> Run {
        let bin = Path::new(MLEDGER).parent().unwrap().display().to_string();
        let set = |(name, _): &&(String, String)| name == "PATH";
        let path = self.person.env.iter().find(set).map(|(_, path)| path.clone());
        let path = path.unwrap_or_else(|| std::env::var("PATH").unwrap());
        let person = self.person.with("PATH", &format!("{bin}:{path}"));
        person.run(Command::new("/bin/bash").args(["-c", line]).current_dir(&self.dir), None)
    }

    /// What the doctor says, in the published form; its exit code says the same.
    #[track_caller]
    pub fn diagnosis(&self, words: &[&str]) -> Value {
        diagnosis(&self.person.mledger(&self.dir, &[&["--json", "doctor"], words].concat()))
    }

    /// The finding of that code, if there is one.
    #[track_caller]
    pub fn finding(&self, code: &str) -> Option<Value> {
        finding(&self.diagnosis(&[]), code)
    }

    /// Nothing is wrong, and nothing deserves a look.
    #[track_caller]
    pub fn is_well(&self) {
        let found = self.diagnosis(&[]);
        let findings: Vec<&Value> =
            found["checks"].as_array().unwrap().iter().filter(|check| check["level"] != "fine").collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// Breaks it, and finds that code.
    #[track_caller]
    pub fn ails(&self, code: &str, harm: impl FnOnce()) -> Value {
        assert!(self.finding(code).is_none(), "{code} before anything was broken");
        harm();
        self.finding(code).unwrap_or_else(|| panic!("no {code} in {:#}", self.diagnosis(&[])))
    }

    /// The command that a finding names, with its words filled in.
    #[track_caller]
    pub fn command(&self, finding: &Value) -> String {
        let line = finding["try"].as_str().unwrap_or_else(|| panic!("no command in {finding:#}"));
        let line = line.split("     (").next().unwrap().to_owned();
        self.words.iter().fold(line, |line, (word, value)| line.replace(word, value))
    }

    /// It is broken; the command that the finding names mends it, and all is well.
    #[track_caller]
    pub fn heals(&self, code: &str, harm: impl FnOnce()) {
        let found = self.ails(code, harm);
        let line = self.command(&found);
        self.shell(&line).ok();
        assert!(self.finding(code).is_none(), "{code} after `{line}`: {:#}", self.diagnosis(&[]));
        self.is_well();
    }

    /// It is broken; `--fix` mends it and says so, all is well, and another `--fix` does nothing.
    #[track_caller]
    pub fn is_fixed(&self, code: &str, harm: impl FnOnce()) {
        let found = self.ails(code, harm);
        assert_eq!(found["fixable"], true, "{found:#}");
        let after = self.diagnosis(&["--fix"]);
        let fixed = after["fixed"].as_array().unwrap();
        assert!(!fixed.is_empty() && fixed.iter().all(|fixed| fixed["done"] == true), "{after:#}");
        self.is_well();
        assert_eq!(self.diagnosis(&["--fix"])["fixed"].as_array().unwrap().len(), 0);
    }

    /// Both, one after the other.
    #[track_caller]
    pub fn heals_and_is_fixed(&self, code: &str, harm: impl Fn()) {
        self.heals(code, &harm);
        self.is_fixed(code, harm);
    }

    /// It is broken, and `--fix` leaves it as it is: it is for a person to decide.
    #[track_caller]
    pub fn is_left_alone(&self, code: &str) {
        assert_eq!(self.finding(code).unwrap()["fixable"], false);
        assert!(finding(&self.diagnosis(&["--fix"]), code).is_some(), "--fix took {code} away");
    }
}

/// What a run of the doctor said.
#[track_caller]
pub fn diagnosis(run: &Run) -> Value {
    let said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no diagnosis: {run:#?}"));
    fits(&schema("doctor"), &said);
    assert_eq!(run.code, Some(i32::from(said["ok"] == false)), "{said:#}");
    said
}

/// The finding of that code in what the doctor said.
pub fn finding(said: &Value, code: &str) -> Option<Value> {
    let checks = said["checks"].as_array().unwrap().iter();
    let mut findings = checks.flat_map(|check| check["findings"].as_array().unwrap());
    findings.find(|finding| finding["code"] == code).cloned()
}

#[test]
fn a_person_reads_a_line_per_group_and_details_only_where_something_is_wrong() {
    let bank = Bank::open();
    let ward = Ward::new(&bank.alice, &bank.clone_of(&bank.alice));
    let well = ward.person.mledger(&ward.dir, &["doctor"]).ok();
    let (last, groups) =
        well.lines().collect::<Vec<_>>().split_last().map(|(last, rest)| (*last, rest.to_vec())).unwrap();
    assert_eq!((last, groups.len()), ("All is well.", 10), "{well}");
    assert!(groups.iter().all(|line| line.starts_with("✓ ") && line.chars().count() <= 100), "{well}");

    ward.git(&["config", "push.gpgSign", "false"]);
    ward.git(&["config", "--global", "--unset", "user.name"]);
    let run = ward.person.mledger(&ward.dir, &["doctor"]);
    assert_eq!((run.code, run.err.as_str()), (Some(1), ""));
    let wrong = "✗ settings\n  ✗ `push.gpgSign` is `false` in the repository's configuration, and should be if-asked\n    \
                 try: git config --local --replace-all push.gpgSign if-asked\n";
    assert!(run.out.contains(wrong), "{}", run.out);
    assert!(run.out.contains("! identity\n  ! Git does not know your name\n    try: git config"), "{}", run.out);
    let last = "1 thing is wrong, 1 deserves a look; `mledger doctor --fix` mends 1 of them.\n";
    assert!(run.out.ends_with(last), "{}", run.out);

    let fixed = ward.person.mledger(&ward.dir, &["doctor", "--fix"]);
    assert_eq!(fixed.code, Some(0), "what only deserves a look is no failure");
    assert!(fixed.out.starts_with("✓ mended: set push.gpgSign to `if-asked`\n"), "{}", fixed.out);
    assert!(fixed.out.ends_with("Nothing is wrong; 1 thing deserves a look.\n"), "{}", fixed.out);
}
