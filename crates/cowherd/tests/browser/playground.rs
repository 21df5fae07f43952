//! The playground: an edited test runs, a broken one is told in place, a hostile one does no harm.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::axe;
use crate::driver::Browser;

/// A server on a free port.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cowherd"))
            .args(["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        Server {
            child,
            url: line.trim().into(),
        }
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// Sends bytes as they are; the status of the answer.
    fn raw(&self, head: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // It may hang up before it has read all of a body that is too long.
        let _ = stream.write_all(body);
        let mut answer = String::new();
        let _ = stream.take(200).read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        status.parse().unwrap_or_else(|_| panic!("{answer}"))
    }

    fn post(&self, host: &str, origin: &str, path: &str, body: &str) -> u16 {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        self.raw(&head, body.as_bytes())
    }

    /// Ctrl-C; the exit code.
    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a text into the editor, as typing would.
fn edit(browser: &Browser, text: &str) {
    let text = serde_json::to_string(text).unwrap();
    browser.run(&format!(
        "const t = document.getElementById('text'); t.value = {text}; t.dispatchEvent(new Event('input', {{ bubbles: true }}))"
    ));
}

fn status(browser: &Browser) -> String {
    browser.text("return document.getElementById('status').value")
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn an_edited_test_runs_and_its_witness_is_shown() {
    let server = Server::start();
    let browser = Browser::start(1280, 900);
    browser.open(&server.url);
    axe::check(&browser, "the playground");
    for name in ["odirect-two-sectors", "odirect-swap"] {
        browser.run(&format!(
            "const c = document.getElementById('corpus'); c.value = '{name}'; c.dispatchEvent(new Event('change'))"
        ));
        browser.wait(&format!(
            "document.getElementById('text').value.startsWith('MM {name}\\n')"
        ));
    }
    // With another value in the file the outcome tells which text ran.
    let text = browser.text("return document.getElementById('text').value");
    edit(
        &browser,
        &text
            .replace("{ 7 }", "{ 9 }")
            .replace("MM odirect-swap", "MM edited"),
    );
    browser.type_into("#own", "v5.18+swp_exclusive");
    browser.click("#run");
    browser.wait("document.querySelectorAll('#verdicts tbody tr').length === 4 && !document.getElementById('run').disabled");
    let verdicts = browser.text(
        "return [...document.querySelectorAll('#verdicts tbody tr')].map((r) => r.querySelector('th').textContent + ' ' + r.querySelector('.v').textContent).join(', ')",
    );
    assert_eq!(
        verdicts,
        "v5.8 Never, v5.18 Sometimes, v5.19 Never, v5.18+swp_exclusive Sometimes"
    );
    let states = browser.text("return document.querySelector('#verdicts').textContent");
    assert!(
        states.contains("A:x[0]=9") && !states.contains("A:x[0]=7"),
        "{states}"
    );
    axe::check(&browser, "the playground with verdicts");
    browser.click("[aria-label='How it happens on v5.18']");
    browser.wait("!document.getElementById('witness').hidden && document.getElementById('run').disabled === false");
    browser.frame(Some("#witness"));
    browser.wait("document.querySelector('h1')?.textContent.startsWith('edited on v5.18')");
    browser.press("\u{E010}");
    browser.click("#last");
    browser
        .wait("document.querySelector('.why')?.textContent.includes('writes x[0]=9 into page 1')");
    browser.frame(None);
    browser.run("document.querySelector('.results').scrollTop = 0");
    browser.screenshot("playground");
    // A link carries the test and the kernels.
    browser.click("#link");
    browser.wait("location.hash.startsWith('#test=')");
    let link = browser.text("return location.href");
    browser.open("about:blank");
    browser.open(&link);
    browser.wait("document.getElementById('text').value.startsWith('MM edited')");
    assert_eq!(
        browser.text("return document.getElementById('own').value"),
        "v5.18+swp_exclusive"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    drop(browser);
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn a_broken_test_is_told_in_place_as_on_the_terminal() {
    let server = Server::start();
    let browser = Browser::start(1280, 900);
    browser.open(&server.url);
    let broken =
        "MM t\n{ anon x = 0; }\nP0 in A { \u{1F404} }\nP1 in A { y = 1; }\nexists (A:x=0)\n";
    edit(&browser, broken);
    browser.wait("document.querySelector('#diagnostics article')");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.litmus"), broken).unwrap();
    let terminal = Command::new(env!("CARGO_BIN_EXE_cowherd"))
        .args(["check", "test.litmus"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let terminal = String::from_utf8(terminal.stderr).unwrap();
    let told = browser.text("return [...document.querySelectorAll('#diagnostics pre')].map((p) => p.textContent).join('\\n')");
    assert_eq!(told.trim(), terminal.trim());
    let marked = browser.text("return document.querySelector('#marks mark').textContent");
    assert!(
        broken.contains(&marked) && !marked.trim().is_empty(),
        "{marked}"
    );
    assert_ne!(
        browser.run("return document.querySelectorAll('#lines .bad').length"),
        0
    );
    axe::check(&browser, "the playground with a diagnostic");
    browser.screenshot("diagnostic");
    browser.click("#diagnostics button");
    let chosen = browser.text("const t = document.getElementById('text'); return t.value.slice(t.selectionStart, t.selectionEnd)");
    assert_eq!(chosen, marked);
    browser.click("#run");
    browser.wait("document.getElementById('status').value.includes('errors')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn a_hostile_test_does_no_harm() {
    let server = Server::start();
    let browser = Browser::start(1280, 900);
    browser.open(&server.url);
    // Markup in a comment, which the witness page shows.
    let attack = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\"><!--";
    let text =
        format!("MM t\n(* {attack} *)\n{{ anon x = 0; }}\nP0 in A {{ x = 1; }}\nexists (A:x=1)\n");
    edit(&browser, &text);
    browser.click("#run");
    browser.wait("document.querySelector('#verdicts button:not([disabled])')");
    browser.click("#verdicts button");
    browser.wait("!document.getElementById('witness').hidden");
    browser.frame(Some("#witness"));
    browser.wait("document.querySelector('footer pre')?.textContent.includes('pwned')");
    assert_eq!(browser.text("return document.title"), "t on v5.8");
    assert_eq!(browser.run("return document.images.length"), 0);
    browser.frame(None);
    assert_eq!(browser.text("return document.title"), "cowherd playground");
    // Markup where it makes a diagnostic.
    edit(&browser, &format!("MM {attack}\n"));
    browser.wait("document.querySelector('#diagnostics pre')?.textContent.includes('</script>')");
    assert_eq!(browser.run("return document.images.length"), 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // Too long for the server, and then far too long.
    for size in [100 << 10, 20 << 20] {
        browser.run(&format!(
            "const t = document.getElementById('text'); t.value = 'x'.repeat({size})"
        ));
        browser.run("document.getElementById('status').value = ''");
        browser.click("#run");
        browser.wait("document.getElementById('status').value !== ''");
        assert!(
            !status(&browser).starts_with("Running"),
            "{}",
            status(&browser)
        );
    }
    // It still works.
    edit(
        &browser,
        "MM t\n{ anon x = 0; }\nP0 in A { x = 1; }\nexists (A:x=1)\n",
    );
    browser.click("#run");
    browser.wait(
        "document.querySelector('#verdicts tbody tr') && !document.getElementById('run').disabled",
    );
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn a_long_run_is_stopped() {
    let server = Server::start();
    let browser = Browser::start(1280, 900);
    browser.open(&server.url);
    let stores = "x[0] = 1; r0 = x[1]; x[1] = 2;";
    let text = format!(
        "MM long\n{{ anon x[2] = {{ 0, 0 }}; anon y = 0; swap async; }}\nP0 in A {{ {stores} fork(B) {{ x[0] = 3; y = 4; }} {stores} }}\n\
         P1 in A {{ {stores} y = 1; }}\nkernel*2 {{ reclaim(x); reclaim(y); }}\nexists (A:x[0]=7)\n"
    );
    edit(&browser, &text);
    browser.click("#run");
    browser.wait("document.getElementById('status').value.includes('states')");
    browser.click("#stop");
    browser.wait("!document.getElementById('run').disabled");
    // What was stopped is not known, and what came after it was not run.
    let verdicts = browser.text(
        "return [...document.querySelectorAll('#verdicts .v')].map((v) => v.textContent).join(' ')",
    );
    let ran = verdicts.split(' ').count();
    assert!(ran < 3 || verdicts.ends_with("Unknown"), "{verdicts}");
    assert!(
        ran == 3 || status(&browser).contains("not run, stopped"),
        "{}",
        status(&browser)
    );
}

#[test]
#[ignore = "needs a free port"]
fn others_are_turned_away() {
    let server = Server::start();
    let here = server.address().to_string();
    let origin = format!("http://{here}");
    let body = r#"{"text":"MM t"}"#;
    let ask =
        |host: &str, origin: &str, body: &str| server.post(host, origin, "/api/diagnose", body);
    assert_eq!(ask(&here, &origin, body), 200);
    assert_eq!(ask("evil.example", &origin, body), 403);
    assert_eq!(ask(&here, "http://evil.example", body), 403);
    assert_eq!(ask(&here, "null", body), 403);
    assert_eq!(ask(&here, &origin, &"x".repeat(1 << 20)), 413);
    assert_eq!(ask(&here, &origin, "{"), 400);
    assert_eq!(ask(&here, &origin, r#"{"text":"\ud800"}"#), 400);
    assert_eq!(
        server.raw(
            "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
            b""
        ),
        403
    );
    let run = r#"{"text":"MM t\n{ anon x = 0; }\nP0 in A { x = 1; }\nexists (A:x=1)","kernels":["v1.0"]}"#;
    assert_eq!(server.post(&here, &origin, "/api/run", run), 400);
    assert_eq!(server.post(&here, &origin, "/etc/passwd", "{}"), 404);
    assert_eq!(ask(&here, &origin, body), 200);
    assert_eq!(server.interrupt(), Some(0));
}
