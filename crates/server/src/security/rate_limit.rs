//! How many requests a second each client may send.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

/// Clients that are remembered at most, so that inventing addresses does not take memory; those
/// beyond share one allowance.
const MAX_CLIENTS: usize = 65_536;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Client {
    /// Those with the key of that name.
    Key(Arc<str>),
    /// Those from that address, in IPv6 from the network of 64 bits that a site has at the least.
    Address(IpAddr),
    /// All that there is no room to tell apart.
    Others,
}

impl Client {
    /// Who asks from `address`.
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Self::Address(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// The allowance of each client, renewed continuously.
#[derive(Debug)]
pub struct RateLimit {
    clients: DefaultKeyedRateLimiter<Client>,
    clock: DefaultClock,
    max_clients: usize,
}

impl RateLimit {
    /// `per_second` requests in the long run, `burst` at once.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let clock = DefaultClock::default();
        Self { clients: DefaultKeyedRateLimiter::keyed(quota), clock, max_clients: MAX_CLIENTS }
    }

    /// Takes note of a request.
    ///
    /// An error is the time after which the client may send the next one, when it has sent too many.
    pub fn check(&self, client: &Client) -> Result<(), Duration> {
        // The keys are those of the settings; only addresses can be invented.
        let is_full =
            matches!(client, Client::Address(_)) && self.clients.len() >= self.max_clients;
        let client = if is_full { &Client::Others } else { client };
        let checked = self.clients.check_key(client);
        checked.map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Forgets the clients whose allowance is whole again; called every few seconds.
    pub fn forget_idle(&self) {
        self.clients.retain_recent();
        self.clients.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::{Client, RateLimit};

    fn limit(per_second: u32, burst: u32) -> RateLimit {
        let number = |number| NonZeroU32::new(number).unwrap();
        RateLimit::new(number(per_second), number(burst))
    }

    fn at(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_one_site_count_together() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:1.2.3.4"), at("1.2.3.4"));
    }

    #[test]
    fn clients_are_forgotten_once_their_allowance_is_whole() {
        let limit = limit(1_000_000, 1);
        assert!(limit.check(&at("1.1.1.1")).is_ok());
        std::thread::sleep(Duration::from_millis(5));
        limit.forget_idle();
        assert!(limit.clients.is_empty());
    }

    #[test]
    fn invented_addresses_do_not_take_memory() {
        let mut limit = limit(1, 1);
        limit.max_clients = 100;
        let address = |number: u32| Client::at(IpAddr::from(number.to_be_bytes()));
        let admitted = (0..10_000).filter(|number| limit.check(&address(*number)).is_ok()).count();
        assert!(admitted >= 100);
        assert_eq!(limit.clients.len(), 101);
        assert!(limit.check(&Client::Key("line-3".into())).is_ok());
    }
}
