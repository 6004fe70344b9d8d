//! Networks of addresses: `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use toml::de::DeValue;

use super::read::{Section, expected, string};

/// Addresses that begin with the same bits. One that stands alone is a network too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its bits beyond `bits` are zero.
    first: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is written otherwise.
    #[error("expected a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", found {0:?}")]
    Form(String),
    /// The address has bits that the network does not.
    #[error("expected the first address of the network, {0}, found {1:?}")]
    NotFirst(Network, String),
    /// Everybody is in it.
    #[error("expected a network, found {0:?}, in which everybody is")]
    All(String),
}

impl Network {
    /// Whether an address is in it. An IPv4 address is the same in its IPv6 form.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && cut(address, self.bits) == self.first
    }

    /// Whether an address is in any of them.
    #[must_use]
    pub fn any_has(networks: &[Self], address: IpAddr) -> bool {
        networks.iter().any(|network| network.has(address))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let shown = || text.chars().take(60).collect::<String>();
        let form = || NetworkError::Form(shown());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| form())?;
        // Written as IPv6, an IPv4 address would not be found.
        if address.to_canonical() != address {
            return Err(form());
        }
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => all,
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= all).ok_or_else(form)?
            }
            Some(_) => return Err(form()),
        };
        let network = Self { first: cut(address, bits), bits };
        match () {
            () if bits == 0 => Err(NetworkError::All(shown())),
            () if network.first != address => Err(NetworkError::NotFirst(network, shown())),
            () => Ok(network),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// The networks in an array.
pub(super) fn read(section: &Section<'_, '_>, key: &'static str) -> Option<Vec<Network>> {
    section.take(key, |value| {
        let array = value.as_array().ok_or_else(|| expected("an array of networks", value))?;
        let network = |value: &toml::Spanned<DeValue<'_>>| {
            string(value.get_ref())?.parse::<Network>().map_err(|fault| fault.to_string())
        };
        array.iter().map(network).collect::<Result<Vec<_>, String>>()
    })
}

/// An address with nothing but its first bits.
fn cut(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv4Addr::from(u32::from(four) & mask).into()
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv6Addr::from(u128::from(six) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_or_is_not() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.128/25", "192.0.2.129", "192.0.2.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("128.0.0.0/1", "255.255.255.255", "127.255.255.255"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.has(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.has(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn what_may_be_meant_otherwise_is_a_fault() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::1/129",
            "::ffff:10.0.0.0/104",
            "example.com",
            "10.0.0.0/8/8",
            "10.0.0.0 /8",
            "10.0.0.0/0008",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Form(text.to_owned())), "{text}");
        }
        let fault = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert_eq!(fault, "expected the first address of the network, 10.0.0.0/8, found \"10.1.2.3/8\"");
        assert_eq!("0.0.0.0/0".parse::<Network>(), Err(NetworkError::All("0.0.0.0/0".to_owned())));
    }
}
