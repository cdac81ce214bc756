//! The readers of the gateways.

use indelible_gateway::mcp::definitions::Definitions;
use indelible_gateway::mcp::json::Raw;
use indelible_gateway::mcp::message::{Incoming, Kind, MessageFault};
use indelible_gateway::mcp::method::{Side, meaning};

/// Messages of the Model Context Protocol: what is read stands in the bytes as it is, alone as in a batch, and says the same when it
/// is read again; what is refused has a code of JSON-RPC.
pub fn mcp_json(data: &[u8]) {
    let incoming = match Incoming::read(data) {
        Ok(incoming) => incoming,
        Err(fault) => {
            let expected = if matches!(fault, MessageFault::Json(_)) { -32700 } else { -32600 };
            assert_eq!(fault.code(), expected);
            return;
        }
    };
    assert!(!incoming.messages.is_empty() && (incoming.batch || incoming.messages.len() == 1));
    for message in &incoming.messages {
        let text = message.raw.as_str();
        let at = text.as_ptr() as usize - data.as_ptr() as usize;
        assert_eq!(data.get(at..at + text.len()), Some(text.as_bytes()), "a message is a place in the bytes");
        let again = Incoming::read(text.as_bytes()).expect("a message stands alone");
        let [alone] = again.messages.as_slice() else { panic!("one message is one message") };
        assert_eq!((alone.kind, &alone.id, &alone.method), (message.kind, &message.id, &message.method));
        assert_eq!(message.kind == Kind::Answer, message.method.is_empty() && message.params.is_none());
        if let Some(id) = &message.id {
            assert_eq!(
                Raw::read(id.json().as_bytes()).ok().and_then(indelible_gateway::mcp::message::Id::read).as_ref(),
                Some(id)
            );
        }
        for side in [Side::Client, Side::Server] {
            let meaning = meaning(side, &message.method);
            drop(meaning.touched(message));
            if let Some((content, _)) = meaning.content(message) {
                assert!(text.contains(content.as_str()));
            }
        }
        if let Some(result) = message.result {
            let definitions = Definitions::default();
            let changes = definitions.compare(result);
            definitions.accept(&changes).expect("a memory without a file");
            let names: std::collections::BTreeSet<_> = changes.changes.iter().map(|change| &change.name).collect();
            if names.len() == changes.changes.len() {
                assert!(definitions.compare(result).is_empty(), "the same list again changes nothing");
            }
        }
    }
}
