//! Attacks a running application's authentication from outside. It knows the roles of a contract, never the stack.

pub mod app;
pub mod asvs;
pub mod catalogue;
pub mod client;
pub mod contract;
mod controls;
pub mod db;
pub mod devices;
pub mod events;
pub mod federation;
pub mod http;
pub mod jws;
pub mod lab;
pub mod mail;
pub mod outage;
pub mod parallel;
pub mod people;
pub mod postgres_server;
pub mod provider;
pub mod random;
pub mod report;
pub mod run;
pub mod test;
pub mod timing;
pub mod tree;
