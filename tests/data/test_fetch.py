"""Files that are looked for, downloaded and checked, with a real server on this machine."""

# The server of these tests has attributes of its own.
# mypy: disable-error-code="attr-defined"

import gzip
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from command import PATIENCE

from grad_ext.data.fetch import RawFile, cache_folder, download, find, folders, obtain, read
from grad_ext.errors import InputError

CONTENT = b"race,label\n" + b"White,1\nBlack,0\n" * 40_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = RawFile(
    "people.csv",
    page="https://example.org/people",
    archives=("people.zip",),
    size=len(CONTENT),
    sha256=SHA256,
)


def zipped(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


class Server(ThreadingHTTPServer):
    """Answers from `answers`; counts the requests; can stop half-way until it may go on."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {
            "/people.csv": CONTENT,
            "/people.zip": zipped(("people/readme.txt", b"?"), ("people/people.csv", CONTENT)),
            "/other.csv": CONTENT.replace(b"White", b"Green", 1),
            "/other.zip": zipped(("people.csv", CONTENT + b"Black,1\n")),
            "/empty.zip": zipped(("readme.txt", b"?")),
            "/short.csv": CONTENT,
            "/slow.csv": CONTENT,
        }
        self.requests = []
        self.half_way, self.go_on = threading.Event(), threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        content = self.server.answers.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        if self.path == "/slow.csv":
            self.server.half_way.set()
            self.server.go_on.wait(PATIENCE)
        if self.path != "/short.csv":
            self.wfile.write(content[half:])

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.go_on.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and nothing else to look into."""
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRAD_EXT_DATA_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


def files_in(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("path", ["/people.csv", "/people.zip"])
def test_a_download_is_unpacked_checked_and_kept(server, cache, path):
    file = replace(FILE, url=server.url(path))
    content, place = obtain(file)
    assert content == CONTENT
    assert place == cache / "people.csv"
    assert files_in(cache) == ["people.csv"]
    assert place.read_bytes() == CONTENT
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o666 & ~umask
    # What is in the cache is not asked for again.
    assert obtain(file) == (CONTENT, place)
    assert server.requests == [path]


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, cache):
    file = replace(FILE, url=server.url("/people.csv"))
    cache.mkdir()
    (cache / "people.csv").write_bytes(CONTENT[:-5])
    assert obtain(file)[0] == CONTENT
    assert (cache / "people.csv").read_bytes() == CONTENT
    assert len(server.requests) == 1


FAILURES = {
    "/other.csv": f"wrong checksum: expected SHA-256 {SHA256}, got [0-9a-f]{{64}};",
    "/other.zip": f"wrong checksum: expected SHA-256 {SHA256}",
    "/empty.zip": "the archive holds no people.csv",
    "/short.csv": f"the connection ended after {len(CONTENT) // 2} of {len(CONTENT)} bytes",
    "/nothing.csv": "HTTP Error 404: Not Found",
}


@pytest.mark.parametrize("path", FAILURES)
def test_a_failed_download_says_what_is_needed_and_leaves_nothing(server, cache, path):
    file = replace(FILE, url=server.url(path))
    with pytest.raises(InputError, match=FAILURES[path]) as caught:
        obtain(file)
    message = str(caught.value)
    for part in ("people.csv", SHA256, server.url(path), "https://example.org/people", str(cache)):
        assert part in message
    assert "people.zip" in message
    assert files_in(cache) == []


def test_nobody_at_the_address(cache):
    with Server() as gone:
        url = gone.url("/people.csv")
    with pytest.raises(InputError, match=r"refused.*: get people.csv \(SHA-256 "):
        obtain(replace(FILE, url=url))
    with pytest.raises(InputError, match=r"cannot download people\.csv from htp:"):
        obtain(replace(FILE, url="htp://example.org"))
    assert files_in(cache) == []


def test_an_interrupted_download_leaves_nothing(server, cache):
    code = (
        "from grad_ext.data.fetch import RawFile, download\n"
        f"download(RawFile('people.csv', 'page', sha256={SHA256!r}, "
        f"url={server.url('/slow.csv')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    with process:
        assert server.half_way.wait(PATIENCE)
        assert (cache / "people.csv").exists() is False
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in errors
    assert files_in(cache) == []
    # The next one succeeds.
    server.go_on.set()
    assert download(replace(FILE, url=server.url("/slow.csv"))).read_bytes() == CONTENT


def test_where_a_file_is_looked_for(cache, tmp_path, monkeypatch):
    given, named = tmp_path / "given", tmp_path / "named"
    for folder in (given, named, cache):
        folder.mkdir()
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(named))
    assert folders(given) == [given, named, cache]
    assert find(FILE, given) is None
    for folder in (cache, named, given):
        (folder / "people.csv").write_bytes(CONTENT)
        assert find(FILE, given) == folder / "people.csv"
    with pytest.raises(InputError, match=r"data_dir: expected a folder, got .*nowhere"):
        folders(tmp_path / "nowhere")
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="GRAD_EXT_DATA_DIR: expected a folder"):
        folders()


def test_the_cache_is_the_platforms_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv("GRAD_EXT_CACHE", raising=False)
    assert cache_folder().name == "grad-ext"
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize("form", ["plain", "gzip", "zip"])
def test_a_file_of_the_users_may_be_packed(cache, tmp_path, form):
    name, content = {
        "plain": ("people.csv", CONTENT),
        "gzip": ("people.csv.gz", gzip.compress(CONTENT)),
        "zip": ("people.zip", zipped(("a/b/people.csv", CONTENT))),
    }[form]
    (tmp_path / name).write_bytes(content)
    assert obtain(FILE, tmp_path) == (CONTENT, tmp_path / name)
    assert files_in(cache) == []


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"\x1f\x8b no gzip", CONTENT[1:]]
)
def test_a_wrong_file_of_the_users_is_refused_and_not_replaced(server, cache, tmp_path, content):
    (tmp_path / "people.csv").write_bytes(content)
    file = replace(FILE, url=server.url("/people.csv"))
    with pytest.raises(InputError, match=r"people\.csv from .* has the wrong checksum|cannot read"):
        obtain(file, tmp_path)
    assert (tmp_path / "people.csv").read_bytes() == content
    assert server.requests == []


def test_an_archive_writes_nothing_and_unpacks_no_more_than_expected(cache, tmp_path):
    """A member outside of its folder, and one that is far longer than the published file."""
    folder = tmp_path / "own"
    folder.mkdir()
    bomb = zipped(("../../people.csv", b"0" * 50_000_000))
    (folder / "people.zip").write_bytes(bomb)
    with pytest.raises(InputError, match="wrong checksum") as caught:
        obtain(FILE, folder)
    # What was looked at: one byte more than expected.
    assert hashlib.sha256(b"0" * (len(CONTENT) + 1)).hexdigest() in str(caught.value)
    assert files_in(tmp_path) == ["own"]
    assert files_in(folder) == ["people.zip"]


def test_what_only_the_user_can_get(cache):
    with pytest.raises(InputError, match=r"people.csv cannot be downloaded: get people.csv"):
        obtain(FILE)
    unchecked = replace(FILE, sha256=None, size=None)
    cache.mkdir()
    (cache / "people.csv").write_bytes(b"mine")
    assert read(unchecked, cache / "people.csv") == b"mine"


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GRAD_EXT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.delenv("GRAD_EXT_DATA_DIR", raising=False)
    with pytest.raises(InputError, match=r"cannot write to the folder .*cache"):
        obtain(replace(FILE, url=server.url("/people.csv")))
    assert server.requests == []
