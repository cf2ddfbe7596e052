//! A real web server that asks for a password and runs `git http-backend`.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{fingerprint, lands, login, push, server_program};
use crate::bank::Bank;
use crate::world::{Person, Run, write, write_script};

/// lighttpd; stopped at the end. It serves the socket that it is given, so that no port is ever taken twice.
struct Web {
    server: Child,
    port: u16,
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Web {
    fn start(bank: &Bank) -> Self {
        let root = bank.world.root().to_str().unwrap();
        let backend = bank.carol.git(bank.world.root(), &["--exec-path"]).ok() + "/git-http-backend";
        let config = format!(
            r#"server.document-root = "{root}"
server.bind = "/dev/stdin"
server.errorlog = "{root}/lighttpd.log"
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
auth.backend = "plain"
auth.backend.plain.userfile = "{root}/passwords"
auth.require = ("/git/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
alias.url = ("/git" => "{backend}")
cgi.assign = ("" => "")
setenv.set-environment = (
  "GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1", "PATH" => env.PATH,
  "GIT_CONFIG_GLOBAL" => "{home}/.gitconfig", "GIT_CONFIG_NOSYSTEM" => "1", "HOME" => "{home}"
)
"#,
            home = bank.carol.home.display(),
        );
        write(bank.world.root(), "lighttpd.conf", &config);
        write(bank.world.root(), "passwords", "alice:a\nmallory:m\nzoe:z\n");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut command = Command::new(server_program("lighttpd"));
        command.arg("-D").arg("-f").arg(bank.world.path("lighttpd.conf")).stdin(Stdio::from(OwnedFd::from(socket)));
        Self { server: command.spawn().unwrap(), port }
    }

    fn url(&self, user: &str) -> String {
        format!("http://{user}@127.0.0.1:{}/git/models.git", self.port)
    }
}

/// A bank behind the web server, and a clone of Alice's with one commit.
fn bank_behind_web() -> (Bank, Web, PathBuf) {
    let more = "[[rules]]\nname = \"signed\"\nrefs = [\"refs/heads/dev/signed\"]\nsigned-push = true\n";
    let people = super::people("http");
    let bank = Bank::open_with(&(people + more), &["--login", "http"]);
    bank.on_server(&["config", "http.receivepack", "true"]);
    let web = Web::start(&bank);
    let dir = bank.clone_of(&bank.alice);
    bank.alice.git(&dir, &["remote", "set-url", "origin", &web.url("alice:a")]).ok();
    bank.alice.commit(&dir, "models/a", "one");
    (bank, web, dir)
}

#[test]
fn a_password_names_the_pusher() {
    let (bank, web, dir) = bank_behind_web();
    let (alice, mallory) = (&bank.alice, &bank.mallory);
    lands(&bank, "alice@bank.example", &login("http:alice"), || push(alice, &dir));
    let send = |person: &Person, user: &str, words: &[&str]| {
        person.git(
            &dir,
            &[&["-c", "push.gpgSign=false"], words, &["push", "-f", &web.url(user), "HEAD:refs/heads/dev/a"]].concat(),
        )
    };
    // What a client says in headers is no variable of the server's.
    alice.commit(&dir, "models/a", "two");
    let headers = ["-c", "http.extraHeader=Remote-User: victim", "-c", "http.extraHeader=REMOTE_USER: victim"];
    lands(&bank, "alice@bank.example", &login("http:alice"), || send(alice, "alice:a", &headers));
    alice.commit(&dir, "models/a", "three");
    let unknown = "no actor of the policy has this login";
    let said = bank.refused("login-unknown", unknown, || send(mallory, "mallory:m", &headers));
    assert!(said.contains("http:mallory") && said.contains("add this login to your `logins`"), "{said}");
    // Zoe is known to every front end but this one.
    bank.refused("login-unknown", unknown, || send(mallory, "zoe:z", &[]));
    bank.stopped("Authentication failed", || send(mallory, "alice:m", &headers));
}

/// Over HTTP one process gives the nonce and another gets it back.
#[test]
fn a_signed_push_over_http_takes_its_time() {
    let (bank, _web, dir) = bank_behind_web();
    let alice = &bank.alice;
    // As long as it takes to touch a security key, and never within the second of the nonce.
    write_script(bank.world.root(), "slow-keygen", "#!/bin/sh\nsleep 1.1\nexec ssh-keygen \"$@\"\n");
    let program = format!("gpg.ssh.program={}", bank.world.path("slow-keygen").display());
    let slow =
        |target: &str| -> Run { alice.git(&dir, &["-c", &program, "push", "-f", "origin", &format!("HEAD:{target}")]) };
    let hers = json!({ "how": "certificate", "key": fingerprint(alice) });
    lands(&bank, "alice@bank.example", &hers, || slow("refs/heads/dev/signed"));
    alice.commit(&dir, "models/a", "two");
    bank.refused("signed-push-missing", "this push must be signed", || {
        alice.push(&dir, &["--no-signed", "HEAD:refs/heads/dev/signed"])
    });
    // What `mledger init` has set is needed, and it has an end.
    for setting in [&["--unset", "receive.certNonceSlop"], &["receive.certNonceSlop", "0"]] {
        bank.on_server(&[&["config"], &setting[..]].concat());
        bank.refused("pusher-refused", "nonce is not the one", || slow("refs/heads/dev/signed"));
    }
    bank.gate("", &[]).ok();
    lands(&bank, "alice@bank.example", &hers, || slow("refs/heads/dev/signed"));
}
