//! A user, and a network without a way out, of the command's own.
#![expect(clippy::disallowed_methods, reason = "the kernel is told in files who the user is")]

use std::path::Path;

use anyhow::Context as _;

/// What root is called inside: `nobody` on common systems, since some programs look their user up.
pub(super) const NOT_ROOT: u32 = 65534;

/// The user stays the same, but root is not root inside: database servers and others refuse to run as root, and what
/// root may do beyond its own files ends here.
pub(super) fn leave(network: bool, processes: bool) -> anyhow::Result<()> {
    use nix::sched::CloneFlags;
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    let inside = |id: u32| if user == 0 { NOT_ROOT } else { id };
    // Shared memory too: a server that is killed would leave its own behind.
    let mut flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWIPC;
    flags.set(CloneFlags::CLONE_NEWNET, network);
    flags.set(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS, processes);
    nix::sched::unshare(flags).context("this system does not allow a user and network namespace")?;
    // The kernel takes a group map from an ordinary user only after this.
    write_proc("setgroups", "deny")?;
    write_proc("uid_map", &format!("{} {user} 1", inside(user)))?;
    write_proc("gid_map", &format!("{} {group} 1", inside(group)))?;
    if network {
        loopback_up().context("cannot switch on the loopback device in a network namespace")?;
    }
    Ok(())
}

fn write_proc(name: &str, text: &str) -> anyhow::Result<()> {
    let path = Path::new("/proc/self").join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// `ip link set lo up`, as one netlink message.
fn loopback_up() -> anyhow::Result<()> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto, socket_with,
    };
    const LENGTH: u32 = 32;
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 5;
    const LOOPBACK: u32 = 1;
    const UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Sequence, port; then family, padding and type, all zero.
    message.extend([0; 12]);
    // Device, flags, which flags to change.
    message.extend([LOOPBACK, UP, UP].into_iter().flat_map(u32::to_ne_bytes));
    // Protocol 0 of netlink is routing and devices.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
    let mut reply = [0_u8; 64];
    recv(&socket, &mut reply, RecvFlags::empty())?;
    // A header of 16 bytes, then the error number, zero or negative.
    let error = i32::from_ne_bytes([reply[16], reply[17], reply[18], reply[19]]);
    if error == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(-error).into()) }
}
