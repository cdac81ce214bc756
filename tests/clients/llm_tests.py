"""What the official clients do with a model API, through the gateway; and what the log says of it afterwards."""

import base64
import io
import json
import threading
import time

import anthropic
import httpx2 as httpx
import openai

from parts import PROVIDER_KEY, conversation, expect

PROMPT = "What is the answer? Write to ana@example.com."
WORDS = "The quick brown fox jumps over lazy dogs"
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
CLAUDE_TOOL = {"name": "weather", "description": "Weather of a city",
               "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


class Setting:
    """Clients of one run, and the log to ask; without a log only the clients are tried."""

    def __init__(self, base, token, server=None, upstream=None):
        openai_base = f"{base}/llm/openai/v1" if server else f"{base}/v1"
        claude_base = f"{base}/llm/anthropic" if server else base
        self.server, self.upstream, self.token = server, upstream, token
        self.openai_base = openai_base
        self.openai = openai.OpenAI(base_url=openai_base, api_key=token, max_retries=0, timeout=20)
        self.claude = anthropic.Anthropic(base_url=claude_base, api_key=token, max_retries=0, timeout=20)

    def marks(self):
        name = conversation()
        headers = {"x-indelible-conversation": name, "x-indelible-application": "client-tests",
                   "x-indelible-on-behalf-of": "ana@example.com"}
        return name, headers

    def outcome(self, name, result="allowed", **expected):
        """The exchange is on record as it was; gives the outcome."""
        if not self.server:
            return None
        intent, outcome = self.server.exchange(name)
        for event in (intent, outcome):
            expect(event["source"]["kind"] == "gateway", f"source {event['source']}")
            expect(event["actor"]["id"] == "client-tests", f"actor {event['actor']}")
            expect(event["on_behalf_of"][0]["id"] == "ana@example.com", f"on behalf of {event.get('on_behalf_of')}")
        expect(outcome["outcome"]["result"] == result, f"result {outcome['outcome']} instead of {result}")
        for field, value in expected.items():
            place = outcome["outcome"] if field in ("code", "reason") else outcome.get("ai", {})
            expect(place.get(field) == value, f"{field} is {place.get(field)!r} instead of {value!r}: {json.dumps(outcome)[:3000]}")
        text = json.dumps([intent, outcome])
        expect("What is the answer" not in text, "the prompt stands in the event")
        expect(PROVIDER_KEY not in text and self.token not in text, "a key stands in the event")
        return outcome


def chat_plain(s):
    name, headers = s.marks()
    answer = s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": PROMPT}], extra_headers=headers)
    expect(answer.choices[0].message.content == WORDS, answer)
    outcome = s.outcome(name, code="200", request_model="gpt-test", response_model="gpt-test-2026-01-01", input_tokens=21,
                        output_tokens=8, finish_reasons=["stop"], provider="openai", operation="chat")
    if not outcome:
        return
    labels = [label for event in s.server.exchange(name) for resource in event["resources"] for label in resource.get("labels", [])]
    expect("pii.email" in labels, f"labels {labels}")
    last = s.upstream.last()
    expect(not any(header.startswith("x-indelible") for header in last["headers"]), f"own headers went upstream: {last['headers']}")
    expect(s.token not in json.dumps(last), "the token went upstream")


def chat_streaming(s):
    name, headers = s.marks()
    stream = s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": PROMPT}], stream=True,
                                              stream_options={"include_usage": True}, extra_headers=headers)
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    expect(text == WORDS, text)
    expect(chunks[-1].usage.total_tokens == 29, chunks[-1])
    s.outcome(name, code="200", input_tokens=21, output_tokens=8, finish_reasons=["stop"], response_model="gpt-test-2026-01-01")


def chat_tools(s):
    messages = [{"role": "user", "content": "Weather in Paris?"}]
    for stream in (False, True):
        name, headers = s.marks()
        answer = s.openai.chat.completions.create(model="gpt-test", messages=messages, tools=[TOOL], stream=stream, extra_headers=headers)
        if stream:
            pieces = [call for chunk in answer for call in (chunk.choices[0].delta.tool_calls or [])]
            expect("".join(call.function.arguments or "" for call in pieces) == '{"city":"Paris"}', pieces)
        else:
            expect(answer.choices[0].message.tool_calls[0].function.name == "weather", answer)
        outcome = s.outcome(name, finish_reasons=["tool_calls"])
        expect(not outcome or "weather" in json.dumps(outcome), "the tool's name is not in the outcome")


def chat_structured(s):
    name, headers = s.marks()
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"answer": {"type": "integer"}}}}
    answer = s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": PROMPT}], extra_headers=headers,
                                              response_format={"type": "json_schema", "json_schema": schema})
    expect(json.loads(answer.choices[0].message.content)["answer"] == 42, answer)
    s.outcome(name, code="200")


def upstream_error(s):
    for model, kind, code in [("gpt-test+500", openai.InternalServerError, "500"), ("gpt-test+400", openai.BadRequestError, "400"),
                              ("gpt-test+429", openai.RateLimitError, "429")]:
        name, headers = s.marks()
        try:
            s.openai.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], extra_headers=headers)
            expect(False, f"{model} was answered")
        except kind as error:
            expect(code != "429" or error.response.headers["retry-after"] == "1", error.response.headers)
        s.outcome(name, "failed", code=code)


def client_retries(s):
    """Each try is an exchange of its own: one failed with 429, one allowed."""
    name, headers = s.marks()
    client = s.openai.with_options(max_retries=3)
    answer = client.chat.completions.create(model="gpt-test+429once", messages=[{"role": "user", "content": "x"}], extra_headers=headers)
    expect(answer.choices[0].finish_reason == "stop", answer)
    if s.server:
        found = [event["outcome"] for event in s.server.events(f"conversation:{name}")]
        expect(len(found) % 2 == 0 and found[-1]["result"] == "allowed", found)
        codes = [outcome.get("code") for outcome in found if outcome["phase"] == "outcome"]
        expect(codes[-1] == "200" and all(code == "429" for code in codes[:-1]), codes)


def responses_api(s):
    name, headers = s.marks()
    answer = s.openai.responses.create(model="gpt-test", input=PROMPT, extra_headers=headers)
    expect(answer.output_text == WORDS, answer)
    s.outcome(name, code="200", input_tokens=21, output_tokens=8)
    name, headers = s.marks()
    with s.openai.responses.create(model="gpt-test", input=PROMPT, stream=True, extra_headers=headers) as stream:
        kinds = [event.type for event in stream]
    expect(kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds)
    s.outcome(name, code="200", input_tokens=21, output_tokens=8)


def embeddings(s):
    name, headers = s.marks()
    answer = s.openai.embeddings.create(model="embed-test", input=["one", "two"], extra_headers=headers)
    expect(len(answer.data) == 2 and answer.data[0].embedding[0] == 0.5, answer)
    s.outcome(name, code="200", input_tokens=5, operation="embeddings")


def models(s):
    name, headers = s.marks()
    expect([model.id for model in s.openai.models.list(extra_headers=headers)] == ["gpt-test", "gpt-test-mini"], "models")
    s.outcome(name, code="200")


def files_and_audio(s):
    name, headers = s.marks()
    made = s.openai.files.create(file=("batch.jsonl", io.BytesIO(b'{"a":1}\n' * 20_000)), purpose="batch", extra_headers=headers)
    expect(made.bytes > 160_000, made)
    s.outcome(name, code="200")
    name, headers = s.marks()
    heard = s.openai.audio.transcriptions.create(model="whisper-test", file=("a.wav", io.BytesIO(b"RIFF" + bytes(300_000))), extra_headers=headers)
    expect(heard.text == WORDS, heard)
    s.outcome(name, code="200")


def large_image(s):
    name, headers = s.marks()
    image = "data:image/png;base64," + base64.b64encode(bytes(12 << 20)).decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": image}}]
    answer = s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": content}], extra_headers=headers)
    expect(answer.choices[0].message.content == WORDS, answer)
    s.outcome(name, code="200", input_tokens=21)


def compressed(s):
    for coding in ("gzip", "brotli"):
        name, headers = s.marks()
        # What the client can read is said by its own libraries; without brotli it gets the bytes as they are.
        with httpx.Client(timeout=20) as client:
            answer = client.post(f"{s.openai_base}/chat/completions", headers={**headers, "authorization": f"Bearer {s.token}",
                                 "accept-encoding": "gzip, br"}, json={"model": f"gpt-test+{coding}", "messages": []})
        expect(answer.status_code == 200, answer.text)
        expect(answer.headers["content-encoding"] == {"gzip": "gzip", "brotli": "br"}[coding], answer.headers)
        s.outcome(name, code="200", output_tokens=8)


def redirect(s):
    name, headers = s.marks()
    with httpx.Client(timeout=20, follow_redirects=False) as client:
        answer = client.post(f"{s.openai_base}/chat/completions", headers={**headers, "authorization": f"Bearer {s.token}"},
                             json={"model": "gpt-test+redirect", "messages": []})
    expect(answer.status_code == 307, answer)
    s.outcome(name, code="307")


def huge_answer(s):
    name, headers = s.marks()
    with httpx.Client(timeout=60) as client:
        answer = client.post(f"{s.openai_base}/chat/completions", headers={**headers, "authorization": f"Bearer {s.token}"},
                             json={"model": "gpt-test+huge", "messages": []})
    expect(len(answer.content) > 40 << 20, len(answer.content))
    s.outcome(name, code="200")


def cut_mid_stream(s):
    name, headers = s.marks()
    try:
        for _ in s.openai.chat.completions.create(model="gpt-test+cut", messages=[{"role": "user", "content": "x"}], stream=True, extra_headers=headers):
            pass
        expect(False, "a stream that was cut off looked whole")
    except (openai.APIError, httpx.HTTPError):
        pass
    s.outcome(name, "failed")


def malformed_stream(s):
    name, headers = s.marks()
    with httpx.Client(timeout=20) as client:
        answer = client.post(f"{s.openai_base}/chat/completions", headers={**headers, "authorization": f"Bearer {s.token}"},
                             json={"model": "gpt-test+malformed", "messages": [], "stream": True})
    expect("this is no event" in answer.text and answer.text.endswith("data: [DONE]\n\n"), answer.text[-200:])
    s.outcome(name, code="200", finish_reasons=["stop"])


def stalled_stream(s):
    """Upstream stops talking: the gateway gives up after `idle_time`, the client sees a broken stream."""
    if not s.server:
        return
    name, headers = s.marks()
    began = time.monotonic()
    try:
        for _ in s.openai.chat.completions.create(model="gpt-test+stall", messages=[{"role": "user", "content": "x"}], stream=True, extra_headers=headers):
            pass
        expect(False, "a stream that stalled looked whole")
    except (openai.APIError, httpx.HTTPError):
        pass
    expect(time.monotonic() - began < 15, "it took too long to give up")
    s.outcome(name, "failed")


def client_gone(s):
    name, headers = s.marks()
    stream = s.openai.chat.completions.create(model="gpt-test+drip", messages=[{"role": "user", "content": "x"}], stream=True, extra_headers=headers)
    next(iter(stream))
    stream.close()
    outcome = s.outcome(name, "failed")
    expect(not outcome or "client" in outcome["outcome"]["reason"], outcome)


def trace_is_taken_up(s):
    name, headers = s.marks()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers["traceparent"] = f"00-{trace}-00f067aa0ba902b7-01"
    s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "x"}], extra_headers=headers)
    outcome = s.outcome(name)
    if outcome:
        expect(outcome["trace"]["trace_id"] == trace, outcome)
        expect(trace in s.upstream.last()["headers"]["traceparent"], "traceparent did not go on")


def many_at_once(s):
    names = [s.marks() for _ in range(24)]
    faults = []

    def one(headers, stream):
        try:
            answer = s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "x"}], stream=stream, extra_headers=headers)
            if stream:
                list(answer)
        except Exception as error:  # told below
            faults.append(error)
    threads = [threading.Thread(target=one, args=(headers, at % 2 == 0)) for at, (_, headers) in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not faults, faults)
    for name, _ in names:
        s.outcome(name, code="200")


def claude_plain(s):
    name, headers = s.marks()
    answer = s.claude.messages.create(model="claude-test", max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": PROMPT}], extra_headers=headers)
    expect(answer.content[0].text == WORDS, answer)
    # OpenTelemetry counts cached tokens among the input: 17 and 4.
    outcome = s.outcome(name, code="200", request_model="claude-test", response_model="claude-test-20260101", output_tokens=8,
                        finish_reasons=["end_turn"], provider="anthropic")
    expect(not outcome or outcome["ai"]["input_tokens"] in (17, 21), outcome)


def claude_streaming(s):
    name, headers = s.marks()
    with s.claude.messages.stream(model="claude-test", max_tokens=100, messages=[{"role": "user", "content": PROMPT}], extra_headers=headers) as stream:
        expect("".join(stream.text_stream) == WORDS, "text")
    s.outcome(name, code="200", output_tokens=8, finish_reasons=["end_turn"])


def claude_tools_and_counting(s):
    name, headers = s.marks()
    answer = s.claude.messages.create(model="claude-test", max_tokens=100, tools=[CLAUDE_TOOL], messages=[{"role": "user", "content": "Weather?"}], extra_headers=headers)
    expect(answer.stop_reason == "tool_use" and answer.content[0].input == {"city": "Paris"}, answer)
    s.outcome(name, finish_reasons=["tool_use"])
    name, headers = s.marks()
    counted = s.claude.messages.count_tokens(model="claude-test", messages=[{"role": "user", "content": PROMPT}], extra_headers=headers)
    expect(counted.input_tokens == 17, counted)
    s.outcome(name, code="200")


def claude_errors(s):
    name, headers = s.marks()
    try:
        s.claude.messages.create(model="claude-test+429", max_tokens=10, messages=[{"role": "user", "content": "x"}], extra_headers=headers)
        expect(False, "429 was answered")
    except anthropic.RateLimitError:
        pass
    s.outcome(name, "failed", code="429")
    name, headers = s.marks()
    try:
        with s.claude.messages.stream(model="claude-test+broken", max_tokens=10, messages=[{"role": "user", "content": "x"}], extra_headers=headers) as stream:
            list(stream.text_stream)
        expect(False, "an error event was overlooked")
    except anthropic.APIError:
        pass
    s.outcome(name, "failed")


def wrong_token(s):
    if not s.server:
        return
    client = openai.OpenAI(base_url=s.openai_base, api_key="ind_g_" + "00" * 32, max_retries=0)
    before = s.upstream.calls()
    try:
        client.models.list()
        expect(False, "a wrong token was let through")
    except openai.AuthenticationError:
        pass
    expect(s.upstream.calls() == before, "the call went upstream")


def sealed_prompt_can_be_unsealed(s):
    if not s.server:
        return None
    name, headers = s.marks()
    s.openai.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": PROMPT}], extra_headers=headers)
    sealed = [one for event in s.server.exchange(name) for one in event.get("sealed", [])]
    expect({one["name"] for one in sealed} >= {"prompt", "answer"}, f"sealed {sealed}")
    prompt = next(one for one in sealed if one["name"] == "prompt")
    content = base64.b64decode(prompt["commitment"]).hex()
    if s.server.command("unseal", "--help").returncode != 0:
        return "skipped: `indelible unseal` is not there"
    done = s.server.command("unseal", content, "--purpose", "client test")
    expect(done.returncode == 0 and PROMPT in done.stdout, f"unseal: {done.returncode} {done.stdout[:300]} {done.stderr[:1000]}")
    return None


TESTS = [chat_plain, chat_streaming, chat_tools, chat_structured, upstream_error, client_retries, responses_api, embeddings, models,
         files_and_audio, large_image, compressed, redirect, huge_answer, cut_mid_stream, malformed_stream, stalled_stream, client_gone,
         trace_is_taken_up, many_at_once, claude_plain, claude_streaming, claude_tools_and_counting, claude_errors, wrong_token,
         sealed_prompt_can_be_unsealed]
