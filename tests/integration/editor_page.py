#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the editor page stands on: the page itself, PATCH with If-Match and X-Weft-Id, the change feed.

The clients here do over HTTP what the script in src/web/editor/index.html does, without a browser.
"""
import http.client
import json
import os
import random
import re
import threading
import time

from support.cluster import Cluster, Failed
from support.tap import rounds, run, say, slow

SEED = int(os.environ.get("WEFT_SEED", random.randrange(1 << 32)))


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Page:
    """A page that has one document open: follows its feed, edits by PATCH, knows each edit again."""

    def __init__(self, node, document, source):
        self.node = node
        self.path = node.document(document)
        self.agent = f"{source.getrandbits(63):016x}"
        self.seq = 0
        self.text = self.etag = self.feed = None
        self.listen()

    def listen(self):
        self.feed = http.client.HTTPConnection(self.node.address, 9338, timeout=20 * slow())
        self.feed.request("GET", f"{self.path}/changes?agent={self.agent}")
        self.events = self.feed.getresponse()
        self.take_event()

    def leave(self):
        self.feed.close()

    def take_event(self):
        """Waits for the next event and does what it says."""
        fields = {}
        while True:
            line = self.events.readline().decode()
            if not line:
                raise OSError("the feed ended")
            if line == "\n" and "data" in fields:
                break
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        event = json.loads(fields["data"])
        if "text" in event:
            self.text = event["text"]
        for position, deleted, inserted in event.get("patches", ()):
            self.text = self.text[:position] + inserted + self.text[position + deleted:]
        self.etag, self.next = event["digest"], event["next"]

    def request(self, position, inserted):
        """One insertion, as a request that can be sent again."""
        return dict(method="PATCH", url=self.path, body=json.dumps([[position, 0, inserted]]),
                    headers={"Content-Type": "application/json", "If-Match": f'"{self.etag}"',
                             "X-Weft-Id": f"{self.agent}.{self.seq}"})

    def send(self, request, node=None):
        return (node or self.node).request(request["method"], request["url"], request["body"],
                                           request["headers"])

    def insert(self, token, source):
        """Inserts behind some token until it is in the text, after what others did meanwhile."""
        while True:
            place = self.text.find(">", source.randint(0, len(self.text))) + 1
            etag = self.etag
            status = self.send(self.request(place, token)).status
            expect(status in (200, 201, 412), f"{token}: {status}")
            if status != 412:
                break
            while self.etag == etag:
                self.take_event()
        self.seq += len(token)
        while self.next < self.seq:
            self.take_event()
        expect(self.next == self.seq and token in self.text, f"{token} is not in {self.text}")


def check_once(text, tokens):
    wrong = [token for token in tokens if text.count(token) != 1]
    expect(not wrong and len(text) == sum(map(len, tokens)),
           f"{len(wrong)} of {len(tokens)} tokens are not there once, the first is {wrong[:1]}: {text}")


def page_asks_nobody_else():
    """GET / gives the page, with a policy that lets it talk to its node alone, and it needs no more"""
    with Cluster(1) as cluster:
        cluster.start()
        response = cluster[0].get("/")
        page = response.body.decode()
        policy = response.getheader("Content-Security-Policy", "")
        expect(response.status == 200, response.status)
        expect(response.getheader("Content-Type") == "text/html; charset=utf-8", response.headers)
        for rule in ("default-src 'none'", "connect-src 'self'", "form-action 'none'", "base-uri 'none'"):
            expect(rule in policy, f"{rule} is not in {policy}")
        loads = re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?([^"'\s>]*)""",
                           page[:page.index("<script>")])
        expect(loads and all(load.startswith(("data:", "#")) for load in loads), loads)
        expect(not re.search(r"@import|url\(|https?://(?!127|localhost)", page), "it names another address")


def pages_at_two_nodes_agree():
    """two pages that type at two nodes at one time end with one text that has each edit once"""
    with Cluster(2) as cluster:
        cluster.start()
        tokens = [[f"<{name}{number}>" for number in range(20)] for name in "ab"]
        failed = []

        def typing(node, mine, seed):
            source = random.Random(seed)
            try:
                page = Page(node, "shared", source)
                for token in mine:
                    page.insert(token, source)
                page.leave()
            except (Failed, OSError) as error:
                failed.append(error)

        threads = [threading.Thread(target=typing, args=(cluster[i], tokens[i], SEED + i)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(not failed, f"WEFT_SEED={SEED}: {failed}")
        check_once(cluster.wait_equal("shared"), tokens[0] + tokens[1])


def in_doubt_it_is_sent_again_elsewhere():
    """a node is killed between request and answer; sent again to another node nothing is lost or doubled"""
    source = random.Random(SEED)
    say(f"seed {SEED}; again: WEFT_SEED={SEED}")
    with Cluster(2) as cluster:
        cluster.start()
        first, second = cluster
        tokens = []
        for number in range(rounds(4)):
            page = Page(second, "doubt", source)
            tokens.append(f"<{number}>")
            request = page.request(len(page.text), tokens[-1])
            page.leave()
            unheard = number % 2 == 0  # the second node cannot have heard of it when it is asked
            if unheard:
                second.kill()
            lost = http.client.HTTPConnection(first.address, 9338, timeout=20 * slow())
            lost.request(**request)
            if unheard:
                expect(lost.getresponse().status in (200, 201), "the first node takes it")
            else:
                time.sleep(source.random() * 0.01)
            first.kill()
            lost.close()
            if unheard:
                second.start()
            response = page.send(request, second)
            expect(response.status in (200, 201), f"sent again: {response.status} {response.body!r}")
            check_once(second.text("doubt"), tokens)
            first.start()
            cluster.wait_joined()
            check_once(cluster.wait_equal("doubt"), tokens)
        cluster.verify("doubt")


run(page_asks_nobody_else, pages_at_two_nodes_agree, in_doubt_it_is_sent_again_elsewhere)
