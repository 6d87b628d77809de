"""What `appliance/server/` takes for granted about waitress.

The server subclasses waitress's listener, channel, parser and tasks, and replaces the halves that buffer. An upgrade
that changes one of the other halves may pass every other test and still lose a race in the field. So each function
that we override, call or work around is pinned here by a digest of its source.

When this fails after an upgrade: read the diff of each function named, compare it with the place in
`appliance/server/` given beside it, adapt that, run the whole suite, and only then write the new digests, which the
failure prints, and the new version.
"""

import hashlib
import importlib
import importlib.metadata
import inspect

import pytest

_VERSION = "3.0.2"

PINS = {
    # channel.py is replaced by Channel except for flushing and readiness, which must keep their meaning.
    "channel:HTTPChannel.__init__": ("Connection.__init__", "a194769af3fd2e35"),
    "channel:HTTPChannel.writable": ("Connection.writable replaces it", "d0cbd4ae1b3ba2a3"),
    "channel:HTTPChannel.readable": ("Connection.readable replaces it", "e4722238ce60c915"),
    "channel:HTTPChannel.handle_read": ("Connection.handle_read", "5f1fb08c95aa00cc"),
    "channel:HTTPChannel.handle_write": ("Connection.handle_write replaces it", "6c900f395b306f09"),
    "channel:HTTPChannel.received": ("Connection._parse replaces it", "08d6df73fb69da84"),
    "channel:HTTPChannel.service": ("Channel.service replaces it", "f73afa13748e1128"),
    "channel:HTTPChannel.handle_close": ("Channel.handle_close", "8f59b9aaa45566bb"),
    "channel:HTTPChannel.write_soon": ("Connection.write_soon: never waits", "20eedb92a8237c47"),
    "channel:HTTPChannel.add_channel": ("Port.check walks active_channels", "235de3cdfd2c3e8a"),
    "channel:HTTPChannel.del_channel": ("Port.check walks active_channels", "a018ed85e5e518cd"),
    "channel:HTTPChannel._flush_some": ("Connection.handle_write", "fe7a9a752a419402"),
    "channel:HTTPChannel._flush_some_if_lockable": ("Connection.handle_write", "51e124355e631f49"),
    "channel:HTTPChannel._flush_exception": ("Connection.handle_write", "c9f3751ffdb057b7"),
    "channel:HTTPChannel._flush_outbufs_below_high_watermark": ("adjustments(): never reached", "27a2b75117abd0d7"),
    # parser.py: Request overrides parse_header and relies on what received does around it.
    "parser:HTTPRequestParser.__init__": ("Request.__init__", "d43d0602efd291cf"),
    "parser:HTTPRequestParser.received": ("Request.received: no body_rcv means complete", "b466c02de37d4a01"),
    "parser:HTTPRequestParser.parse_header": ("Request.parse_header, strict.py", "c2c093b901782da6"),
    "parser:HTTPRequestParser.get_body_stream": ("Request.get_body_stream", "b85b308c5e427726"),
    "parser:HTTPRequestParser.close": ("Request.close", "a29926ca4e2dd8dd"),
    "parser:get_header_lines": ("strict.py refuses folding before", "968a7db45a59f12c"),
    "parser:crack_first_line": ("strict.py checks the line before", "5ef0eba51166e715"),
    "parser:split_uri": ("Request.parse_header turns ValueError into 400", "2959428735d45cbf"),
    "receiver:FixedStreamReceiver": ("small bodies", "434997a7017f1336"),
    # task.py: the application is run by waitress, the head of the response is ours.
    "task:Task.__init__": ("_Answer", "17c205262405c5f8"),
    "task:Task.service": ("_Answer", "d96bb4019c488cca"),
    "task:Task.set_close_on_finish": ("_Answer._connection_header", "90433a0ffcaf34a7"),
    "task:Task.build_response_header": ("_Answer.build_response_header replaces it", "2cf70b88816fabc1"),
    "task:Task.finish": ("_Answer: writes the last chunk", "9bc080ca74743a10"),
    "task:Task.write": ("_Answer.write", "f9a97135b3b5d691"),
    "task:ErrorTask.execute": ("ErrorAnswer", "4abe3262db04d291"),
    "task:WSGITask.execute": ("Outgoing.prepare and Channel.write_soon are its file_wrapper path", "207afc60fcf3181f"),
    "task:WSGITask.get_environment": ("AppAnswer.get_environment", "3bb57be6c7db4e59"),
    "buffers:ReadOnlyFileBasedBuffer": ("Outgoing, PlainFile", "05800fcb876d6467"),
    "buffers:OverflowableBuffer": ("adjustments(): never overflows", "545747c4f2e2e71a"),
    "utilities:Error": ("TooBusy, strict.py", "374c72f58aca777c"),
    # server.py and the loop.
    "server:BaseWSGIServer.__init__": ("Port.__init__", "e70a16b5b63c0a98"),
    "server:BaseWSGIServer.accept_connections": ("Port.__init__", "c18b3b1efdba9e30"),
    "server:BaseWSGIServer.readable": ("Port.readable replaces it", "4eea9c1036b55b41"),
    "server:BaseWSGIServer.handle_accept": ("Port.accept", "69bfcf0fc140592a"),
    "server:BaseWSGIServer.close": ("Port.__init__", "310014cd5a5bc2b8"),
    "server:BaseWSGIServer.pull_trigger": ("Port.pull_trigger replaces it", "bf12fa7216edc247"),
    "wasyncore:dispatcher.add_channel": ("Loop.__setitem__", "bb7b639a471bc5bb"),
    "wasyncore:dispatcher.del_channel": ("Loop.__delitem__: before the descriptor is closed", "adbc7e4cb5fc9568"),
    "wasyncore:dispatcher.accept": ("Port.accept: None if nobody is there", "f74c690fd884a018"),
    "wasyncore:dispatcher.handle_read_event": ("Loop: late events reach Connection.handle_read", "969ee8514e4b606c"),
    "wasyncore:dispatcher.handle_write_event": ("Loop: late events reach Connection.handle_write", "afca27dd2b7ea4fb"),
    "wasyncore:dispatcher.handle_expt_event": ("Loop: asks for no EPOLLPRI", "ff216795f27f44eb"),
    "wasyncore:close_all": ("Loop.close", "6b588549e9916191"),
    "wasyncore:readwrite": ("Channel.handle_close", "2467235cc3f4eb51"),
    "wasyncore:dispatcher.send": (
        "Connection.write_soon: 0 if nothing can be sent, workers never close",
        "1f089e74390268a3",
    ),
    "wasyncore:dispatcher.recv": ("Connection.handle_read", "2e96a95e63f72440"),
    "wasyncore:dispatcher.close": ("Channel.handle_close", "dd4afafdd01181b1"),
    "adjustments:Adjustments.__init__": ("adjustments()", "423618117d85be07"),
}


def _digest(name: str) -> str:
    module, _, path = name.partition(":")
    thing = importlib.import_module(f"waitress.{module}")
    for part in path.split("."):
        thing = inspect.getattr_static(thing, part)
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:16]


def test_waitress_is_the_version_that_was_read() -> None:
    assert importlib.metadata.version("waitress") == _VERSION, __doc__


@pytest.mark.parametrize("name", PINS)
def test_waitress_has_not_changed_under_us(name: str) -> None:
    place, pinned = PINS[name]
    assert _digest(name) == pinned, f"waitress.{name} changed; {place} depends on it. {__doc__}"
