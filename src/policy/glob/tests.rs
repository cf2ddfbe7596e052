use proptest::prelude::*;

use super::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

#[test]
fn patterns_mean_what_they_meant() {
    for (pattern, good, bad) in [
        ("a", &["a"][..], &["b", "a/b", "A", "aa"][..]),
        ("a/*", &["a/b", "a/.x", "a/*"], &["a", "a/b/c", "ab"]),
        ("a/**", &["a", "a/b", "a/b/c"], &["ab", "b/a", "b"]),
        ("**", &["a", "a/b/c"], &[]),
        ("**/c", &["c", "a/c", "a/b/c"], &["a/b/cc", "c/a"]),
        ("a/**/c", &["a/c", "a/b/c", "a/c/c"], &["a", "c", "a/c/d"]),
        ("a/**/b/**/c", &["a/b/c", "a/x/b/y/c", "a/b/b/c/c"], &["a/c/b", "a/b"]),
        ("a/**/**", &["a", "a/b/c"], &["b"]),
        ("*.bin", &["w.bin", ".bin"], &["a/w.bin", "w.bi", "w.binx"]),
        ("m*l*s", &["models", "mls", "mlsls"], &["model", "m/ls"]),
        ("v?", &["v1", "v*"], &["v", "v12", "v/"]),
        ("??", &["ab", "é"], &["a", "abc"]),
        ("*", &["a", "é"], &["a/b"]),
        ("*/*", &["a/b"], &["a", "a/b/c"]),
        ("refs/tags/v*", &["refs/tags/v1.0", "refs/tags/v"], &["refs/tags/v1/x"]),
        ("**/a/*/b", &["a/x/b", "a/a/x/b", "a/x/a/y/b"], &["a/b", "a/x/y/b"]),
    ] {
        let glob = glob(pattern);
        for (names, expected) in [(good, true), (bad, false)] {
            for name in names {
                assert_eq!(glob.matches(name.as_bytes()), expected, "{pattern} and {name}");
            }
        }
    }
}

#[test]
fn other_patterns_are_refused() {
    for (pattern, why) in [
        ("", "empty"),
        ("/a", "empty segment"),
        ("a/", "empty segment"),
        ("a//b", "empty segment"),
        ("a/../b", "`.` or `..`"),
        ("a**", "whole segment"),
        ("***", "whole segment"),
        ("[ab]", "`[` is reserved"),
        ("{a,b}", "`{` is reserved"),
        ("a\\*", "`\\` is reserved"),
        ("!a", "`!` is reserved"),
        ("a\nb", "control"),
        (&"a".repeat(1025), "longer than 1024"),
    ] {
        let error = Glob::parse(pattern).unwrap_err().to_string();
        assert!(error.contains(why), "{pattern}: {error}");
    }
    assert!(Glob::parse(&"a".repeat(1024)).is_ok());
}

#[test]
fn hostile_patterns_end() {
    let name = [&b"a/".repeat(2000)[..], b"b"].concat();
    let deep = glob(&format!("{}c", "**/a/".repeat(200)));
    assert!(!deep.matches(&name));
    assert!(!deep.covers_beneath(&name));
    assert!(deep.reaches_beneath(&name));
    let wild = glob(&format!("{}b", "*a".repeat(500)));
    assert!(!wild.matches(&b"a".repeat(4000)));
    assert!(!wild.overlaps(&glob(&format!("{}c", "*a".repeat(500)))));
}

#[test]
fn patterns_overlap_where_a_name_fits_both() {
    for (left, right, expected) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a/**", "a", true),
        ("a/**", "**/b", true),
        ("a/*", "a/b/c", false),
        ("a/*/c", "a/**", true),
        ("a*", "*b", true),
        ("a?", "ab", true),
        ("a?c", "ab*d", false),
        ("refs/heads/dev/**", "refs/heads/main", false),
        ("**/x/**", "a/*/b", true),
    ] {
        assert_eq!(glob(left).overlaps(&glob(right)), expected, "{left} and {right}");
        assert_eq!(glob(right).overlaps(&glob(left)), expected, "{right} and {left}");
    }
}

fn names() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,3}", 1..6).prop_map(|parts| parts.join("/"))
}

fn patterns() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![Just("**".to_owned()), "[ab?]{1,2}", "[ab]?\\*[ab]?"], 1..6)
        .prop_map(|parts| parts.join("/"))
}

proptest! {
    #[test]
    fn the_matcher_agrees_with_the_plain_meaning(pattern in patterns(), name in names()) {
        let segments: Vec<_> = pattern.split('/').collect();
        let parts: Vec<_> = name.split('/').collect();
        prop_assert_eq!(glob(&pattern).matches(name.as_bytes()), plainly::matches(&segments, &parts));
    }

    #[test]
    fn covering_is_certain_and_reaching_is_possible(pattern in patterns(), folder in names(), below in names()) {
        let glob = glob(&pattern);
        let name = format!("{folder}/{below}");
        let matches = glob.matches(name.as_bytes());
        prop_assert!(matches || !glob.covers_beneath(folder.as_bytes()), "{} covers {}", pattern, folder);
        prop_assert!(!matches || glob.reaches_beneath(folder.as_bytes()), "{} reaches {}", pattern, folder);
    }

    #[test]
    fn a_common_name_is_an_overlap(left in patterns(), right in patterns(), name in names()) {
        let (left, right) = (glob(&left), glob(&right));
        prop_assert!(!(left.matches(name.as_bytes()) && right.matches(name.as_bytes())) || left.overlaps(&right));
    }
}
