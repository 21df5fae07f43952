//! The playground's server. Listens on the loopback interface only and runs nothing but the model.
//!
//! A request is answered by one of a few threads; a run has a thread of its own and is asked for what is new. Each request is looked at
//! by [`guard`] before anything of it is read.

mod api;
mod guard;
mod jobs;

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use cowherd_model::corpus::Corpus;
use tiny_http::{Response, Server};

use crate::exit::Failure;
use crate::terminal;

use jobs::Jobs;

/// Requests that are answered at a time.
const THREADS: usize = 4;

/// What an answer consists of.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `text/html; charset=utf-8` or `application/json`.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

/// What all threads share.
pub struct Playground {
    port: u16,
    corpus: Corpus,
    jobs: Jobs,
}

/// Serves until Ctrl-C.
pub fn serve(port: u16, corpus: Corpus) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::Machine(format!("127.0.0.1:{port}: {e}"));
    let server = Server::http((Ipv4Addr::LOCALHOST, port)).map_err(|e| failed(&e))?;
    let bound = server.server_addr().to_ip();
    let bound = bound.ok_or_else(|| failed(&"no address"))?;
    let playground = Playground {
        port: bound.port(),
        corpus,
        jobs: Jobs::default(),
    };
    terminal::print(&format!("http://{bound}/\nCtrl-C ends it.\n"))?;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !terminal::stopped() {
                    // A connection that breaks is the business of whoever broke it.
                    let _ = one(&server, &playground);
                }
            });
        }
    });
    playground.jobs.end();
    Ok(())
}

/// Waits a moment for a request and answers it.
fn one(server: &Server, playground: &Playground) -> io::Result<()> {
    let Some(mut request) = server.recv_timeout(Duration::from_millis(200))? else {
        return Ok(());
    };
    let answer = match guard::look(&request, playground.port) {
        Ok(()) => api::answer(&mut request, playground),
        Err(refused) => refused,
    };
    let mut response = Response::from_string(answer.body).with_status_code(answer.status);
    for (name, value) in guard::HEADERS {
        response.add_header(guard::header(name, value));
    }
    response.add_header(guard::header("Content-Type", answer.kind));
    request.respond(response)
}

impl Answer {
    /// A page.
    pub fn page(body: String) -> Answer {
        Answer {
            status: 200,
            kind: "text/html; charset=utf-8",
            body,
        }
    }

    /// Data.
    pub fn json(value: &serde_json::Value) -> Answer {
        Answer {
            status: 200,
            kind: "application/json",
            body: value.to_string(),
        }
    }

    /// Something is wrong with the request.
    pub fn error(status: u16, message: &str) -> Answer {
        let body = serde_json::json!({ "error": message });
        Answer {
            status,
            ..Answer::json(&body)
        }
    }
}
