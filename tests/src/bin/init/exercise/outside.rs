//! All other hosts: who answers, and who comes in.

use std::{net::IpAddr, time::Duration};

use super::{ADMIN, DATABASE, DROP, INTRUDER, RESOLVER, SCRIPTS, UPDATES, WEB, wire};

/// Customers of the web server.
const CUSTOMERS: [IpAddr; 3] = [
    IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 20)),
    IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 31)),
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 44)),
];

/// Plays those who come in, and answers at every address.
pub fn run() -> anyhow::Result<()> {
    println!("outside");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        match line.trim_end() {
            "open" => open()?,
            "customers" => customers()?,
            // Comes to work, and leaves after a while.
            "administrator" => visit(ADMIN, 22, 3_000, 9_000)?,
            "break-in" => visit(INTRUDER, 443, 1_700, 300)?,
            "back-door" => visit(INTRUDER, 4444, 240, 5_200)?,
            other => anyhow::bail!("nobody outside does {other}"),
        }
        println!("done");
        line.clear();
    }
    Ok(())
}

/// Answers whoever comes. Not before there is recorded: what is found is recorded, whatever cgroup it is in.
fn open() -> anyhow::Result<()> {
    for (at, port) in [
        (DATABASE, 22),
        (DATABASE, 5432),
        (UPDATES, 443),
        (SCRIPTS, 80),
        (DROP, 443),
        (INTRUDER, 80),
        (INTRUDER, 4443),
        (INTRUDER, 8443),
    ] {
        wire::serve(at, port)?;
    }
    std::thread::spawn(|| wire::resolve(RESOLVER, INTRUDER));
    Ok(())
}

fn customers() -> anyhow::Result<()> {
    for (at, customer) in CUSTOMERS.into_iter().enumerate() {
        for page in 1..=2 {
            visit(customer, 443, 420, 21_000 * (at + page))?;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

fn visit(from: IpAddr, port: u16, bytes: usize, wanted: usize) -> anyhow::Result<()> {
    wire::ask(&mut wire::from(from, WEB, port)?, bytes, wanted)
}
