use super::*;

fn pusher(source: LoginSource, variables: &[(&str, &str)]) -> Pusher {
    read(&variables.iter().copied().collect(), source)
}

fn login(login: &str) -> Pusher {
    Pusher::Login { login: login.to_owned() }
}

#[track_caller]
fn refused(source: LoginSource, variables: &[(&str, &str)], words: &str) {
    match pusher(source, variables) {
        Pusher::Refused { why } => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

const VARIABLES: [(LoginSource, &str); 6] = [
    (LoginSource::Env, "MLEDGER_LOGIN"),
    (LoginSource::Gitea, "GITEA_PUSHER_NAME"),
    (LoginSource::Github, "GITHUB_USER_LOGIN"),
    (LoginSource::Gitlab, "GL_USERNAME"),
    (LoginSource::Gitolite, "GL_USER"),
    (LoginSource::Http, "REMOTE_USER"),
];

#[test]
fn each_source_reads_its_own_variable_and_no_other() {
    for source in LoginSource::ALL {
        let others = VARIABLES.iter().filter(|(of, _)| *of != source).map(|(_, name)| (*name, "carol"));
        let mut variables: Vec<_> = others.chain([("USER", "carol"), ("LOGNAME", "carol")]).collect();
        assert_eq!(pusher(source, &variables), Pusher::Unknown, "{source:?}");
        let Some((_, own)) = VARIABLES.iter().find(|(of, _)| *of == source) else { continue };
        variables.extend([(*own, "alice"), ("GL_ID", "user-7")]);
        assert_eq!(pusher(source, &variables), login(&format!("{}:alice", source.word())));
        assert_eq!(pusher(source, &[(own, ""), ("GL_ID", "user-7")]), Pusher::Unknown);
        let long = "x".repeat(129);
        refused(source, &[(own, &long), ("GL_ID", "user-7")], "a login of 129 bytes");
    }
}

#[test]
fn whoever_passes_by_gitolite_or_gitlab_is_nobody() {
    for value in ["1", "0", ""] {
        for source in [LoginSource::Gitolite, LoginSource::Gitlab] {
            let variables = [
                ("GL_USER", "alice"),
                ("GL_USERNAME", "alice"),
                ("GL_ID", "user-7"),
                ("GL_BYPASS_ACCESS_CHECKS", value),
            ];
            refused(source, &variables, "GL_BYPASS_ACCESS_CHECKS");
        }
    }
}

#[test]
fn deploy_keys_of_gitea_and_its_own_pushes_are_nobodys() {
    let with = |name, value| [("GITEA_PUSHER_NAME", "alice"), (name, value)];
    let source = LoginSource::Gitea;
    for value in ["7", "-1", "00", "", "x"] {
        refused(source, &with("GITEA_DEPLOY_KEY_ID", value), "deploy key");
        refused(source, &with("GITEA_IS_DEPLOY_KEY", value), "deploy key");
    }
    for value in ["true", "1", ""] {
        refused(source, &with("GITEA_INTERNAL_PUSH", value), "GITEA_INTERNAL_PUSH");
    }
    for (name, value) in [
        ("GITEA_DEPLOY_KEY_ID", "0"),
        ("GITEA_IS_DEPLOY_KEY", "false"),
        ("GITEA_INTERNAL_PUSH", "false"),
        ("GITEA_KEY_ID", "7"),
    ] {
        assert_eq!(pusher(source, &with(name, value)), login("gitea:alice"));
    }
}

#[test]
fn gitlab_names_a_user_by_number_too() {
    let source = LoginSource::Gitlab;
    let with = |id| [("GL_USERNAME", "alice"), ("GL_ID", id)];
    assert_eq!(pusher(source, &with("user-7")), login("gitlab:alice"));
    refused(source, &with("key-7"), "the deploy key `key-7`");
    refused(source, &[("GL_ID", "key-7")], "the deploy key `key-7`");
    for odd in ["", "user-", "user-x", "user-7 key-7", "USER-7"] {
        refused(source, &with(odd), "GL_ID is");
    }
    refused(source, &[("GL_USERNAME", "alice")], "GL_ID is");
}

#[test]
fn apps_of_github_and_its_administration_are_no_users() {
    let source = LoginSource::Github;
    refused(source, &[("GITHUB_USER_LOGIN", "dependabot[bot]")], "the GitHub app `dependabot[bot]`");
    let via = |via| [("GITHUB_USER_LOGIN", "alice"), ("GITHUB_VIA", via)];
    refused(source, &via("stafftools branch restore"), "site administration");
    assert_eq!(pusher(source, &via("pull request merge button")), login("github:alice"));
}
