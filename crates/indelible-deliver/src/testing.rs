//! An event with every field, for tests.

/// Every field there is.
pub(crate) const WHOLE_EVENT: &str = concat!(
    r#"{"action":"infer","actor":{"auth":"oidc","groups":["g1","g2"],"id":"bot","ip":"10.0.0.1","name":"Bot","roles":["analyst"],"#,
    r#""session":"s-1","type":"agent","user_agent":"curl/8"},"ai":{"agent":"planner","conversation":"c-1","#,
    r#""finish_reasons":["stop"],"input_tokens":12,"operation":"chat","output_tokens":7,"provider":"acme","#,
    r#""request_model":"m-1","response_model":"m-1-b","tool_call_id":"call-1","tool_name":"search"},"#,
    r#""attributes":{"k":1,"list":["a","b"],"ok":true},"duration_ns":1500000000,"id":"0199a8b0-0000-7000-8000-000000000001","#,
    r#""legal_basis":"contract","on_behalf_of":[{"id":"svc","type":"service"},{"id":"ana","type":"human"}],"#,
    r#""operation":"chat.completions","outcome":{"code":"429","phase":"outcome","policy":"p-1","reason":"too many","#,
    r#""request":"r-1","result":"denied"},"purpose":"support","recorded":"2026-11-23T09:15:31.000000000Z","#,
    r#""resources":[{"bytes":10,"count":3,"fields":["name"],"id":"customers","labels":["pii"],"name":"Customers","type":"table"}],"#,
    r#""schema":"indelible.event/1","sealed":[{"bytes":5,"commitment":"AAAA","media_type":"text/plain","name":"prompt"}],"#,
    r#""source":{"id":"gw","kind":"api","seq":4},"time":"2026-11-23T10:15:30.5+01:00[Europe/Berlin]","#,
    r#""trace":{"span_id":"00f067aa0ba902b7","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}}"#
);
