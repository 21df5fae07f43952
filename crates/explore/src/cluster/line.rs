//! A worker's end of the dataflow. The search goes in steps; whoever has said all that it has to say in a step ends it, and has then
//! all that was said to it in that step.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use timely::WorkerConfig;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::allocator::TcpBuilder;
use timely::communication::allocator::zero_copy::initialize::{
    CommsGuard, initialize_networking_from_sockets,
};
use timely::communication::allocator::{Allocator, ProcessBuilder};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Input, Operator, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;

use super::mesh::Cluster;
use super::packet::{Kind, Packet};
use super::wire::Lost;

/// How long a worker sleeps at most before it looks whether somebody was lost.
const NAP: Duration = Duration::from_millis(20);

/// Another process was lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

/// What each worker of this process makes its line of, and what is held until the search is over.
pub(super) fn open(cluster: &Cluster) -> io::Result<(Vec<TcpBuilder>, CommsGuard)> {
    let hooks = Hooks::default();
    let workers = cluster.workers();
    let within = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), None);
    initialize_networking_from_sockets(within, cluster.wires()?, cluster.process(), workers, hooks)
}

pub(super) struct Line {
    worker: Worker,
    input: InputHandleVec<u64, Packet>,
    probe: ProbeHandle<u64>,
    arrived: Rc<RefCell<Vec<Packet>>>,
    /// What was sent by those who are a step further.
    early: BTreeMap<u64, Vec<Packet>>,
    step: u64,
    lost: Arc<Lost>,
}

impl Line {
    pub(super) fn new(builder: TcpBuilder, lost: Arc<Lost>) -> Line {
        let mut worker = Worker::new(
            WorkerConfig::default(),
            Allocator::Tcp(builder.build()),
            None,
        );
        let mut input = InputHandleVec::new();
        let arrived = Rc::new(RefCell::new(Vec::new()));
        let arrivals = Rc::clone(&arrived);
        let probe = worker.dataflow::<u64, _, _>(|scope| {
            let route = Exchange::new(|packet: &Packet| packet.to as u64);
            scope
                .input_from(&mut input)
                .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(route, "arrive", |_, _| {
                    move |from, _| from.for_each(|_, packets| arrivals.borrow_mut().append(packets))
                })
                .probe()
                .0
        });
        Line {
            worker,
            input,
            probe,
            arrived,
            early: BTreeMap::new(),
            step: 0,
            lost,
        }
    }

    /// Number of this worker among those of all processes.
    pub(super) fn index(&self) -> usize {
        self.worker.index()
    }

    /// How many workers there are in all processes.
    pub(super) fn peers(&self) -> usize {
        self.worker.peers()
    }

    pub(super) fn send(&mut self, to: usize, kind: Kind, body: Vec<u8>) {
        self.input.send(Packet {
            step: self.step,
            from: self.worker.index(),
            to,
            kind,
            body,
        });
    }

    pub(super) fn send_to_all(&mut self, kind: Kind, body: &[u8]) {
        for to in 0..self.peers() {
            self.send(to, kind, body.to_vec());
        }
    }

    /// Lets packets go on their way, and shows those that have come so far.
    pub(super) fn poll(&mut self, each: &mut impl FnMut(Packet)) -> Result<(), Gone> {
        self.input.flush();
        self.worker.step();
        self.take(each)
    }

    /// Ends the step: shows the packets that were sent to this worker in it, and waits until all have come.
    pub(super) fn turn(&mut self, each: &mut impl FnMut(Packet)) -> Result<(), Gone> {
        let next = self.step + 1;
        self.input.advance_to(next);
        while self.probe.less_than(&next) {
            self.worker.step_or_park(Some(NAP));
            self.take(each)?;
        }
        self.take(each)?;
        self.step = next;
        for packet in self.early.remove(&next).unwrap_or_default() {
            self.arrived.borrow_mut().push(packet);
        }
        Ok(())
    }

    fn take(&mut self, each: &mut impl FnMut(Packet)) -> Result<(), Gone> {
        for packet in self.arrived.take() {
            if packet.step == self.step {
                each(packet);
            } else {
                self.early.entry(packet.step).or_default().push(packet);
            }
        }
        if self.lost.who().is_some() {
            return Err(Gone);
        }
        Ok(())
    }

    /// The search is over: all workers come to an end.
    pub(super) fn close(mut self) -> Result<(), Gone> {
        self.input.close();
        while self.worker.has_dataflows() {
            self.worker.step_or_park(Some(NAP));
            if self.lost.who().is_some() {
                return Err(Gone);
            }
        }
        Ok(())
    }
}
