//! Multipath TCP: from which addresses a namespace joins with another path (`include/uapi/linux/mptcp.h`).

use std::{net::Ipv4Addr, os::fd::AsRawFd as _, path::Path};

use anyhow::{Context as _, ensure};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use crate::netns::Netns;

/// Family of generic netlink that knows all others, and what it is asked.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// Commands of the family `mptcp_pm`.
const ADD_ADDRESS: u8 = 1;
const SET_LIMITS: u8 = 5;
/// Their attributes.
const ADDRESS: u16 = 1;
const ADDRESSES_ACCEPTED: u16 = 2;
const PATHS: u16 = 3;
/// Those within an address.
const ADDRESS_FAMILY: u16 = 1;
const ADDRESS_V4: u16 = 3;
const ADDRESS_FLAGS: u16 = 6;
const FLAG_OF_PATH: u32 = 2;

const NESTED: u16 = 0x8000;
const NLMSG_ERROR: u16 = 2;
const REQUEST_AND_ACK: u16 = 5;
const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// Whether the kernel is built with it.
#[must_use]
pub fn is_supported() -> bool {
    Path::new("/proc/sys/net/mptcp").exists()
}

/// Has every multipath connection of a namespace joined by another path from an address.
///
/// # Panics
/// If the kernel refuses.
pub fn join_from(netns: &Netns, address: Ipv4Addr) {
    netns.within(move || {
        let limits = [
            attribute(ADDRESSES_ACCEPTED, &4_u32.to_ne_bytes()),
            attribute(PATHS, &4_u32.to_ne_bytes()),
        ];
        let family = u16::try_from(AddressFamily::Inet as i32)?;
        let path = [
            attribute(ADDRESS_FAMILY, &family.to_ne_bytes()),
            attribute(ADDRESS_V4, &address.octets()),
            attribute(ADDRESS_FLAGS, &FLAG_OF_PATH.to_ne_bytes()),
        ];
        let manager = family_id(b"mptcp_pm\0")?;
        ask(manager, SET_LIMITS, &limits.concat())?;
        ask(
            manager,
            ADD_ADDRESS,
            &attribute(NESTED | ADDRESS, &path.concat()),
        )?;
        Ok(())
    });
}

fn family_id(name: &[u8]) -> anyhow::Result<u16> {
    let answer = ask(CONTROL, GET_FAMILY, &attribute(FAMILY_NAME, name))?;
    let mut rest = answer.get(HEADER + GENERIC_HEADER..).unwrap_or_default();
    while let [len_low, len_high, kind_low, kind_high, value @ ..] = rest {
        let len = usize::from(u16::from_ne_bytes([*len_low, *len_high]));
        if u16::from_ne_bytes([*kind_low, *kind_high]) == FAMILY_ID {
            let id = value.first_chunk().context("a family id of one byte")?;
            return Ok(u16::from_ne_bytes(*id));
        }
        rest = rest
            .get(len.next_multiple_of(4).max(4)..)
            .unwrap_or_default();
    }
    anyhow::bail!("the kernel knows no such family");
}

/// Sends a request. The answer.
fn ask(family: u16, command: u8, attributes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkGeneric,
    )?;
    let mut message = Vec::new();
    let len = u32::try_from(HEADER + GENERIC_HEADER + attributes.len())?;
    message.extend(len.to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Number of the message, port of the sender.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(attributes);
    send(netlink.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = vec![0; 8192];
    let len = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    answer.truncate(len);
    if answer.get(4..6) == Some(&NLMSG_ERROR.to_ne_bytes()) {
        let errno = answer.get(HEADER..HEADER + 4) == Some(&[0; 4]);
        ensure!(errno, "the kernel refuses command {command} of {family}");
    }
    Ok(answer)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
