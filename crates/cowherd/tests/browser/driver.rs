//! A browser, driven by WebDriver: Debian's chromium and chromium-driver, without a window.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long to wait for what a page does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window.
pub struct Browser {
    agent: Agent,
    driver: Child,
    session: String,
    // Its folder goes with it.
    _profile: tempfile::TempDir,
}

/// An element of the page.
#[derive(Clone, Debug)]
pub struct Element(String);

/// Light or dark.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    Light,
    Dark,
}

impl Browser {
    /// Starts one.
    pub fn start(width: u32, height: u32) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                Some(
                    line.split_once("successfully on port ")?
                        .1
                        .trim_end_matches('.')
                        .to_string(),
                )
            })
            .expect("chromedriver says its port");
        // Nobody reads what it says later; the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        let config = Agent::config_builder().http_status_as_error(false).build();
        let mut browser = Browser {
            agent: config.into(),
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &format!("--window-size={width},{height}"),
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": args },
        } } });
        let answer = browser.post("", wanted);
        let id = answer["sessionId"].as_str().expect("a session").to_string();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let mut response = self.agent.post(&url).send_json(&body).unwrap();
        let answer: Value = response.body_mut().read_json().unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.session);
        let mut response = self.agent.get(&url).call().unwrap();
        let answer: Value = response
            .body_mut()
            .with_config()
            .limit(1 << 26)
            .read_json()
            .unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Opens a file.
    pub fn open_file(&self, path: &Path, hash: &str) {
        self.open(&format!("file://{}{hash}", path.display()));
    }

    /// Runs a script; its `return` is the result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The text that a script returns.
    pub fn text(&self, script: &str) -> String {
        self.run(script).as_str().unwrap_or_default().to_string()
    }

    /// The element of a selector.
    pub fn find(&self, selector: &str) -> Element {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.post("/element", body);
        Element(found[ELEMENT].as_str().unwrap().into())
    }

    /// Clicks.
    pub fn click(&self, selector: &str) {
        let Element(id) = self.find(selector);
        self.post(&format!("/element/{id}/click"), json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let Element(id) = self.find(selector);
        self.post(&format!("/element/{id}/value"), json!({ "text": text }));
    }

    /// Presses a key of the keyboard.
    pub fn press(&self, key: &str) {
        let actions = [
            json!({ "type": "keyDown", "value": key }),
            json!({ "type": "keyUp", "value": key }),
        ];
        self.post(
            "/actions",
            json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        );
    }

    /// Goes into a frame of the page; without one, back to the top.
    pub fn frame(&self, selector: Option<&str>) {
        let id = selector.map_or(Value::Null, |s| json!({ ELEMENT: self.find(s).0 }));
        self.post("/frame", json!({ "id": id }));
    }

    /// Waits until a script returns true.
    pub fn wait(&self, what: &str) {
        let began = Instant::now();
        while self.run(&format!("return Boolean({what})")) != true {
            assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes the window so large.
    pub fn resize(&self, width: u32, height: u32) {
        self.post("/window/rect", json!({ "width": width, "height": height }));
    }

    /// What the page prefers.
    pub fn prefer(&self, scheme: Scheme) {
        let value = format!("{scheme:?}").to_lowercase();
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.post(
            "/goog/cdp/execute",
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } }),
        );
    }

    /// Complaints of the browser since the last time: errors, blocked contents.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|e| e["level"] != "DEBUG" && e["level"] != "INFO")
            .map(|e| e["message"].to_string())
            .collect()
    }

    /// A picture of the window, kept under `target/pictures`.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        use base64::Engine as _;
        let picture = self.get("/screenshot");
        let engine = base64::engine::general_purpose::STANDARD;
        let bytes = engine.decode(picture.as_str().unwrap()).unwrap();
        let folder = crate::root().join("target/pictures");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
