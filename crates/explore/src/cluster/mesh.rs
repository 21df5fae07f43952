//! The processes find each other.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};

use super::wire::{Lost, Wire};
use crate::about::About;
use crate::store::SHARDS;

/// How long processes wait for each other at the start.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long one that has connected may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);
/// How long a machine may be silent when it is asked, or takes nothing that is sent.
const SILENCE: Duration = Duration::from_secs(60);
const MAGIC: &[u8; 16] = b"cowherd cluster1";
/// Longest greeting.
const LONGEST: u32 = 1 << 20;

/// The processes that search together. Each must search the same systems, one after the other, with the same options but for limits.
#[derive(Debug)]
pub struct Cluster {
    hosts: Vec<String>,
    process: usize,
    workers: usize,
    /// To each other process.
    streams: Vec<Option<TcpStream>>,
    lost: Arc<Lost>,
}

/// Why there is no cluster.
#[derive(Debug)]
pub enum NoCluster {
    /// There is no process of this number.
    Number(usize, usize),
    /// There are more workers than shards.
    Workers(usize),
    /// This process cannot listen at its own address.
    Listen(String, io::Error),
    /// Another process did not come, or not to an end with its greeting.
    Missing(usize, String, io::Error),
    /// Another process is about something else; this is the difference.
    Foreign(usize, String, String),
}

impl fmt::Display for NoCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoCluster::Number(process, all) => {
                write!(
                    f,
                    "there is no process {process} of {all}: they are numbered from 0"
                )
            }
            NoCluster::Workers(all) => {
                write!(
                    f,
                    "{all} workers are too many: there may be {SHARDS} in all processes"
                )
            }
            NoCluster::Listen(host, error) => write!(f, "cannot listen at {host}: {error}"),
            NoCluster::Missing(process, host, error) => {
                write!(f, "process {process} at {host} did not come: {error}")
            }
            NoCluster::Foreign(process, host, what) => {
                write!(f, "process {process} at {host} does something else: {what}")
            }
        }
    }
}

impl std::error::Error for NoCluster {}

/// What two processes say to each other first.
#[derive(Serialize, Deserialize)]
struct Greeting {
    process: usize,
    hosts: Vec<String>,
    about: About,
}

impl Cluster {
    /// Waits until all processes are there: `hosts` has the address of each, as `name:port`, and this is number `process` of them, with so many
    /// workers. All must be about the same.
    pub fn join(
        hosts: Vec<String>,
        process: usize,
        workers: usize,
        mut about: About,
    ) -> Result<Cluster, NoCluster> {
        let own = hosts
            .get(process)
            .ok_or(NoCluster::Number(process, hosts.len()))?;
        if workers * hosts.len() > SHARDS {
            return Err(NoCluster::Workers(workers * hosts.len()));
        }
        about.line("workers of a process", workers);
        let listener = TcpListener::bind(own.as_str())
            .map_err(|error| NoCluster::Listen(own.clone(), error))?;
        let mut cluster = Cluster {
            streams: hosts.iter().map(|_| None).collect(),
            hosts,
            process,
            workers,
            lost: Arc::default(),
        };
        let until = Instant::now() + PATIENCE;
        for other in 0..process {
            let stream = connect(&cluster.hosts[other], until);
            cluster.meet(other, stream, &about)?;
        }
        cluster.accept(&listener, until, &about)?;
        Ok(cluster)
    }

    fn missing(&self, other: usize, error: io::Error) -> NoCluster {
        NoCluster::Missing(other, self.hosts[other].clone(), error)
    }

    /// Greets a process of a lower number.
    fn meet(
        &mut self,
        other: usize,
        stream: io::Result<TcpStream>,
        about: &About,
    ) -> Result<(), NoCluster> {
        let greeted = stream.and_then(|mut stream| {
            self.greet(&mut stream, about)?;
            let greeting = greeting(&mut stream)?;
            Ok((stream, greeting))
        });
        let (stream, greeting) = greeted.map_err(|error| self.missing(other, error))?;
        self.take(other, stream, greeting, about)
    }

    /// Waits for the processes of higher numbers. Whoever says nothing sensible is none of them.
    fn accept(
        &mut self,
        listener: &TcpListener,
        until: Instant,
        about: &About,
    ) -> Result<(), NoCluster> {
        let own = self.hosts[self.process].clone();
        listener
            .set_nonblocking(true)
            .map_err(|error| NoCluster::Listen(own, error))?;
        loop {
            let others = self.process + 1..self.hosts.len();
            let Some(missing) = others.clone().find(|other| self.streams[*other].is_none()) else {
                return Ok(());
            };
            let Ok((mut stream, _)) = listener.accept() else {
                if Instant::now() >= until {
                    return Err(self.missing(missing, io::ErrorKind::TimedOut.into()));
                }
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            let greeted = stream
                .set_nonblocking(false)
                .and_then(|()| greeting(&mut stream));
            let Ok(greeting) = greeted else { continue };
            let other = greeting.process;
            if !others.contains(&other) || self.streams[other].is_some() {
                continue;
            }
            // It must hear who this is even if this one then refuses it, to be able to say why.
            let answered = self.greet(&mut stream, about);
            answered.map_err(|error| self.missing(other, error))?;
            self.take(other, stream, greeting, about)?;
        }
    }

    fn greet(&self, stream: &mut TcpStream, about: &About) -> io::Result<()> {
        let greeting = serde_json::to_vec(&Greeting {
            process: self.process,
            hosts: self.hosts.clone(),
            about: about.clone(),
        })?;
        stream.write_all(MAGIC)?;
        stream.write_all(&(greeting.len() as u32).to_le_bytes())?;
        stream.write_all(&greeting)
    }

    fn take(
        &mut self,
        other: usize,
        stream: TcpStream,
        greeting: Greeting,
        about: &About,
    ) -> Result<(), NoCluster> {
        let host = self.hosts[other].clone();
        let what = about.difference(&greeting.about).or_else(|| {
            let same = greeting.process == other && greeting.hosts == self.hosts;
            (!same).then(|| "its list of hosts is another".into())
        });
        if let Some(what) = what {
            return Err(NoCluster::Foreign(other, host, what));
        }
        // A machine that is gone says nothing; the system asks it now and then, and gives up what it does not take.
        let alive = TcpKeepalive::new()
            .with_time(Duration::from_secs(10))
            .with_interval(Duration::from_secs(10));
        let ready = stream
            .set_read_timeout(None)
            .and_then(|()| stream.set_nodelay(true))
            .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&alive))
            .and_then(|()| SockRef::from(&stream).set_tcp_user_timeout(Some(SILENCE)));
        ready.map_err(|error| self.missing(other, error))?;
        self.streams[other] = Some(stream);
        Ok(())
    }

    /// Number of this process; the first, 0, is the one to speak for all.
    pub fn process(&self) -> usize {
        self.process
    }

    /// Which process has died, if one has.
    pub fn trouble(&self) -> Option<String> {
        let who = self.lost.who()?;
        Some(format!("process {who} at {} has died", self.hosts[who]))
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn lost(&self) -> &Arc<Lost> {
        &self.lost
    }

    /// The connections, for one search.
    pub(super) fn wires(&self) -> io::Result<Vec<Option<Wire>>> {
        let streams = self.streams.iter().enumerate();
        streams
            .map(|(process, stream)| {
                let Some(stream) = stream else {
                    return Ok(None);
                };
                let lost = Arc::clone(&self.lost);
                Ok(Some(Wire::new(stream.try_clone()?, process, lost)))
            })
            .collect()
    }
}

/// Connects to a process that may not be there yet.
fn connect(host: &str, until: Instant) -> io::Result<TcpStream> {
    loop {
        let tried = host.to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
            TcpStream::connect_timeout(&address, GREETING)
        });
        match tried {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
}

fn greeting(stream: &mut TcpStream) -> io::Result<Greeting> {
    stream.set_read_timeout(Some(GREETING))?;
    let (mut magic, mut length) = ([0; 16], [0; 4]);
    stream.read_exact(&mut magic)?;
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if magic != *MAGIC || length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
