//! The slots of a cluster, and whose they are.

use redis::Value;

use super::address::Address;

/// Whose the slots are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// In order.
    ranges: Vec<Range>,
    /// All servers, masters first.
    servers: Vec<Address>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    first: u16,
    last: u16,
    master: Address,
}

impl SlotMap {
    /// What a server answers to `CLUSTER SLOTS`.
    pub(super) fn read(answer: Value, by: &Address) -> Option<Self> {
        let answer: Vec<Vec<Value>> = redis::from_redis_value(answer).ok()?;
        let mut map = Self::default();
        let mut replicas = Vec::new();
        for entry in answer {
            let mut entry = entry.into_iter();
            let mut number = || redis::from_redis_value(entry.next()?).ok();
            let (first, last) = (number()?, number()?);
            let mut servers = entry.filter_map(|server| address(server, by));
            let master = servers.next()?;
            replicas.extend(servers);
            map.servers.push(master.clone());
            map.ranges.push(Range { first, last, master });
        }
        map.ranges.sort_unstable();
        map.servers.sort_unstable();
        map.servers.dedup();
        map.servers.extend(replicas);
        Some(map)
    }

    pub(super) fn master(&self, slot: u16) -> Option<&Address> {
        let place = self.ranges.partition_point(|range| range.last < slot);
        self.ranges.get(place).filter(|range| range.first <= slot).map(|range| &range.master)
    }

    pub(super) fn masters(&self) -> Vec<Address> {
        let mut masters: Vec<_> = self.ranges.iter().map(|range| range.master.clone()).collect();
        masters.sort_unstable();
        masters.dedup();
        masters
    }

    /// All servers, masters first.
    pub(super) fn servers(&self) -> &[Address] {
        &self.servers
    }
}

/// A host (nothing where the server does not know its own), a port, and what is of no use here.
fn address(server: Value, by: &Address) -> Option<Address> {
    let mut parts = redis::from_redis_value::<Vec<Value>>(server).ok()?.into_iter();
    let host: Option<String> = redis::from_redis_value(parts.next()?).ok()?;
    let port = redis::from_redis_value(parts.next()?).ok()?;
    Some(by.or_other(host.as_deref().unwrap_or_default(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by() -> Address {
        Address { host: "here".to_owned(), port: 7000 }
    }

    fn server(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn host(name: &str) -> Value {
        Value::BulkString(name.as_bytes().to_vec())
    }

    #[test]
    fn a_map_knows_the_master_of_each_slot_and_of_none_that_has_none() {
        let range = |first, last, servers: &[Value]| {
            Value::Array([&[Value::Int(first), Value::Int(last)], servers].concat())
        };
        let answer = Value::Array(vec![
            range(200, 300, &[server(Value::Nil, 7001)]),
            range(0, 99, &[server(host("b"), 7002), server(host(""), 7003)]),
        ]);
        let map = SlotMap::read(answer, &by()).unwrap();
        let master = |slot| map.master(slot).map(ToString::to_string);
        assert_eq!(master(0).as_deref(), Some("b:7002"));
        assert_eq!(master(99).as_deref(), Some("b:7002"));
        assert_eq!(master(100), None);
        assert_eq!(master(300).as_deref(), Some("here:7001"));
        assert_eq!(master(301), None);
        let servers: Vec<_> = map.servers().iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["b:7002", "here:7001", "here:7003"]);
    }

    #[test]
    fn what_is_no_map_is_none() {
        for answer in [Value::Nil, Value::Int(1), Value::Array(vec![Value::Int(1)])] {
            assert_eq!(SlotMap::read(answer, &by()).filter(|map| map.master(0).is_some()), None);
        }
    }
}
