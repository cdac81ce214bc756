"""What receivers take, as JSON Schema: written from the providers' published references, whose names stand at each."""

TEXT = {"type": "string", "minLength": 1}


def closed(required, **properties):
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# Slack, "Sending messages using incoming webhooks" and "Reference: blocks" (header: plain text of 150, text object of 3,000).
SLACK = closed(
    ["text", "blocks"],
    text=TEXT,
    blocks={
        "type": "array", "minItems": 1, "maxItems": 50,
        "items": {"oneOf": [
            closed(["type", "text"], type={"const": "header"}, text=closed(
                ["type", "text"], type={"const": "plain_text"}, text={**TEXT, "maxLength": 150}, emoji={"type": "boolean"})),
            closed(["type", "text"], type={"const": "section"}, text=closed(
                ["type", "text"], type={"const": "mrkdwn"}, text={**TEXT, "maxLength": 3000}, verbatim={"type": "boolean"})),
        ]},
    },
)

# Microsoft, "Create incoming webhooks with Workflows": a message with one Adaptive Card; adaptivecards.io, schema 1.4.
TEAMS = closed(
    ["type", "attachments"],
    type={"const": "message"},
    attachments={"type": "array", "minItems": 1, "maxItems": 1, "items": closed(
        ["contentType", "content"],
        contentType={"const": "application/vnd.microsoft.card.adaptive"},
        contentUrl={"type": "null"},
        content={
            "type": "object", "required": ["type", "version", "body"],
            "properties": {
                "type": {"const": "AdaptiveCard"}, "version": {"const": "1.4"}, "$schema": TEXT,
                "body": {"type": "array", "minItems": 1, "items": {"oneOf": [
                    closed(["type", "text"], type={"const": "TextBlock"}, text=TEXT, wrap={"type": "boolean"},
                           size={"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
                           weight={"enum": ["Default", "Lighter", "Bolder"]},
                           color={"enum": ["default", "dark", "light", "accent", "good", "warning", "attention"]}),
                    closed(["type", "facts"], type={"const": "FactSet"}, facts={
                        "type": "array", "items": closed(["title", "value"], title=TEXT, value={"type": "string"})}),
                ]}},
                "actions": {"type": "array", "items": closed(["type", "url"], type={"const": "Action.OpenUrl"}, title=TEXT, url=TEXT)},
            },
            "additionalProperties": False,
        },
    )},
)

# PagerDuty, "Events API v2 overview" and "Send an alert event".
PAGERDUTY = {
    "type": "object", "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": TEXT, "client_url": TEXT,
        "links": {"type": "array", "items": closed(["href"], href=TEXT, text=TEXT)},
        "payload": {
            "type": "object", "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024}, "source": TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": TEXT, "group": TEXT, "class": TEXT, "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
    "if": {"properties": {"event_action": {"const": "trigger"}}}, "then": {"required": ["payload"]}, "else": {"required": ["dedup_key"]},
}

# Atlassian, "Opsgenie Alert API": create, acknowledge and close.
OPSGENIE_CREATE = closed(
    ["message"],
    message={"type": "string", "minLength": 1, "maxLength": 130}, alias={"type": "string", "maxLength": 512},
    description={"type": "string", "maxLength": 15000}, entity={"type": "string", "maxLength": 512},
    source={"type": "string", "maxLength": 100}, priority={"enum": ["P1", "P2", "P3", "P4", "P5"]},
    tags={"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 50}},
    details={"type": "object", "additionalProperties": {"type": "string"}},
)
OPSGENIE_CHANGE = closed([], user={"type": "string", "maxLength": 100}, source={"type": "string", "maxLength": 100}, note={"type": "string", "maxLength": 25000})
