//! The mutable elements of DET0320: what an organisation sets for itself, by the names that the strategy
//! gives them, and what they are if nobody sets them.

mod allowed;
mod kinds;

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde::Deserialize;

pub use self::{
    allowed::Allowed,
    kinds::{AdminWindow, Expression, Globs, Threshold},
};

/// Those of all analytics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elements {
    /// AN0903.
    pub windows: Windows,
    /// AN0904.
    pub linux: Linux,
    /// AN0905.
    pub macos: Macos,
    /// AN0906.
    pub esxi: Esxi,
    /// AN0907.
    pub network_device: NetworkDevice,
    /// AN0908.
    pub iaas: Iaas,
}

/// Those of AN0903.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// What lists connections, in a command line or a script.
    pub command_pattern_list: Vec<Expression>,
    /// Names of programs that do not start such commands in ordinary work.
    pub suspicious_parent_processes: Globs,
    /// How near in time a connection, a look at credentials or a gain of privilege of the same session
    /// belongs to it.
    pub time_window: SignedDuration,
}

/// Those of AN0904.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Linux {
    /// Names of the programs that list connections.
    pub utility_name_list: Globs,
    /// What lists connections, in a command line, beside those. The strategy names this for other platforms
    /// only.
    pub command_pattern_list: Vec<Expression>,
    /// Whose executions are told.
    pub user_context_scope: UserContextScope,
    /// How many executions of one program by one account are unusual.
    pub execution_frequency_threshold: Threshold,
    /// Names of programs that do not start such programs in ordinary work. The strategy names this and the
    /// next for Windows only; both say as much here.
    pub suspicious_parent_processes: Globs,
    /// How near in time a connection or a gain of privilege of the same session belongs to it.
    pub time_window: SignedDuration,
    /// Who does so in ordinary work, e.g. what monitors the host. The strategy has such a list for clouds
    /// only.
    pub allow_list: Vec<Allowed>,
}

/// Whose executions are told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserContextScope {
    /// Which of them.
    pub users: Users,
    /// The accounts of administrators: by name, or by number.
    pub administrators: Vec<String>,
    /// The user ids of accounts of services: the first and the last.
    pub service_uids: (u32, u32),
}

/// A part of the users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Users {
    /// Everybody.
    #[default]
    All,
    /// Everybody but administrators.
    NotAdministrators,
    /// Accounts of services.
    Services,
    /// Those in containers.
    Containers,
}

/// Those of AN0905.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Macos {
    /// What lists connections, in a command line.
    pub shell_command_watchlist: Vec<Expression>,
    /// Paths of programs that do not start such commands in ordinary work.
    pub terminal_binary_denylist: Globs,
}

/// Those of AN0906.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Esxi {
    /// What lists connections, in a command or a call.
    pub command_pattern_list: Vec<Expression>,
    /// Origins outside of the normal interfaces of management: `ssh`, `console`, `dcui`, `api`.
    pub execution_origin_check: Vec<String>,
    /// When administrators are expected to work.
    pub expected_admin_access_window: AdminWindow,
}

/// Those of AN0907.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkDevice {
    /// What lists connections, in a command or the name of a notification.
    pub command_pattern_list: Vec<Expression>,
    /// Who may.
    pub privileged_user_check: PrivilegedUserCheck,
}

/// Who may list connections.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivilegedUserCheck {
    /// The accounts that may; none: those of a level.
    pub users: Globs,
    /// The level from which an account may, where none is named.
    pub level: u8,
}

/// Those of AN0908.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iaas {
    /// The calls that list connections, or what connects networks.
    pub operation_list: Globs,
    /// The principals that do so in ordinary work.
    pub service_principal_allowlist: Globs,
    /// How many calls of one principal are a burst.
    pub burst_query_threshold: Threshold,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            command_pattern_list: Expression::list(&[
                r"\bnetstat(\.exe)?\b",
                r"\bnet1?(\.exe)?\s+(use|session|sessions|file|files|view)\b",
                r"\bGet-Net(TCP|UDP)(Connection|Endpoint)\b",
                r"\bGet-Smb(Connection|Session|OpenFile)\b",
                r"\bMSFT_Net(TCP|UDP)(Connection|Endpoint)\b",
                r"\bGetActive(Tcp|Udp)(Connections|Listeners)\b",
                r"\bGet(Extended)?(Tcp|Udp)6?Table2?\b",
                r"\b(tcpview|tcpvcon|cports)(64)?(\.exe)?\b",
            ]),
            suspicious_parent_processes: Globs::of(&[
                "winword.exe",
                "excel.exe",
                "powerpnt.exe",
                "outlook.exe",
                "onenote.exe",
                "mshta.exe",
                "wscript.exe",
                "cscript.exe",
                "rundll32.exe",
                "regsvr32.exe",
                "wmiprvse.exe",
                "w3wp.exe",
                "httpd.exe",
                "nginx.exe",
                "php-cgi.exe",
                "tomcat*.exe",
                "java.exe",
                "sqlservr.exe",
            ]),
            time_window: SignedDuration::from_mins(10),
        }
    }
}

impl Default for Linux {
    fn default() -> Self {
        Self {
            utility_name_list: Globs::of(&[
                "netstat",
                "ss",
                "lsof",
                "fuser",
                "conntrack",
                "iftop",
                "nethogs",
            ]),
            user_context_scope: UserContextScope::default(),
            command_pattern_list: Vec::new(),
            execution_frequency_threshold: Threshold::new(10, SignedDuration::from_mins(1)),
            suspicious_parent_processes: Globs::of(&[
                "apache2",
                "httpd",
                "nginx",
                "php*",
                "java",
                "node",
                "tomcat*",
                "mysqld",
                "mariadbd",
                "postgres",
                "redis-server",
                "mongod",
            ]),
            time_window: SignedDuration::from_mins(10),
            allow_list: Vec::new(),
        }
    }
}

impl Default for UserContextScope {
    fn default() -> Self {
        Self {
            users: Users::default(),
            administrators: vec!["root".to_owned(), "0".to_owned()],
            service_uids: (1, 999),
        }
    }
}

impl UserContextScope {
    /// The user ids of accounts of services.
    #[must_use]
    pub fn service_uids(&self) -> RangeInclusive<u32> {
        self.service_uids.0..=self.service_uids.1
    }
}

impl Default for Macos {
    fn default() -> Self {
        Self {
            shell_command_watchlist: Expression::list(&[
                r"\bnetstat\b",
                r"\blsof\b.*\s-\w*i",
                r"\bnettop\b",
                r"\bsystem_profiler\b.*\bSPNetwork",
            ]),
            terminal_binary_denylist: Globs::of(&[
                "*/osascript",
                "*/Automator*",
                "*/ScriptEditor*",
                "*/Script Editor*",
                "*/Microsoft *",
                "*/python*",
                "*/perl*",
                "*/ruby*",
                "*/php*",
                "*/curl",
                "*/java",
                "*/Safari*",
                "*/Google Chrome*",
                "*/firefox*",
            ]),
        }
    }
}

impl Default for Esxi {
    fn default() -> Self {
        Self {
            command_pattern_list: Expression::list(&[
                r"\b(esxcli|localcli)\b.*\bnetwork\s+ip\s+connection\b",
                r"\bnetwork\.ip\.connection\b",
                r"\bnetstat\b",
                r"\bnc\s.*-z",
            ]),
            execution_origin_check: ["ssh", "console"].map(str::to_owned).to_vec(),
            expected_admin_access_window: AdminWindow::default(),
        }
    }
}

impl Default for NetworkDevice {
    fn default() -> Self {
        Self {
            command_pattern_list: Expression::list(&[
                r"^sh(o|ow)?\s+(ip\s+)?(sockets?|tcp|udp)\b",
                r"^sh(o|ow)?\s+(conn|connections?|xlate|ip\s+nat\s+tr\S*)\b",
                r"^sh(o|ow)?\s+(system\s+connections|session\s+all|security\s+flow\s+session)\b",
                r"^sh(o|ow)?\s+control-plane\s+host\s+open-ports\b",
                r"^get\s+system\s+session\b",
                r"\btcpConn",
            ]),
            privileged_user_check: PrivilegedUserCheck::default(),
        }
    }
}

impl Default for PrivilegedUserCheck {
    fn default() -> Self {
        Self {
            users: Globs::default(),
            level: 15,
        }
    }
}

impl Default for Iaas {
    fn default() -> Self {
        Self {
            operation_list: Globs::of(&[
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeVpcPeeringConnections",
                "ec2:DescribeVpnConnections",
                "ec2:DescribeTransitGateway*",
                "ec2:DescribeVpcEndpointConnections",
                "ec2:DescribeFlowLogs",
                "ec2:DescribeClientVpnConnections",
                "directconnect:Describe*Connections*",
                "microsoft.network/networkwatchers/*",
                "microsoft.network/networkinterfaces/*",
                "microsoft.network/connections/*",
                "microsoft.network/virtualnetworkgateways/*connections*",
                "*.compute.networks.getEffectiveFirewalls",
                "*.compute.instances.getEffectiveFirewalls",
                "*.compute.networks.listPeeringRoutes",
                "*.compute.vpnTunnels.*list",
                "*.compute.routers.getRouterStatus",
                "*.compute.vpnTunnels.list",
                "*.compute.networks.list",
                "google.cloud.networkmanagement.*",
            ]),
            service_principal_allowlist: Globs::default(),
            burst_query_threshold: Threshold::new(10, SignedDuration::from_mins(1)),
        }
    }
}
