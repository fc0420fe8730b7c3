//! Requests that are released at once.

use std::{sync::Barrier, thread};

use crate::{
    client::Client,
    http::{Answer, Broken, Request},
};

/// Sends each request by its client, all at the same moment, and gives the answers in the same order.
pub fn at_once(requests: Vec<(Client, Request)>) -> Vec<Result<Answer, Broken>> {
    let barrier = Barrier::new(requests.len());
    thread::scope(|scope| {
        let send = |(mut client, request): (Client, Request)| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                client.try_send(&request)
            })
        };
        let threads: Vec<_> = requests.into_iter().map(send).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(Broken::Closed))).collect()
    })
}
