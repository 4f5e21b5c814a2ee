"""A real Prometheus scrapes a running edge: scrape.py PROGRAM (.ci/metrics)"""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from lab import Demo, free_port, until

ROOT = Path(__file__).resolve().parent.parent.parent


def lint(demo: Demo) -> None:
    """promtool reads the older form only."""
    text = demo.get("/metrics", "text/plain;version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    found = done.stdout + done.stderr
    if done.returncode or found.strip():
        raise SystemExit(f"promtool check metrics:\n{found}")
    print(f"promtool has nothing to say of {len(text.splitlines())} lines")


class Prometheus:
    def __init__(self, target: str, home: Path):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1/"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ROOT / "config/alerts.yml")],
            "scrape_configs": [{"job_name": "xmpp-edge", "static_configs": [{"targets": [target]}]}],
        }
        # JSON is YAML, too.
        (home / "prometheus.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={home}/prometheus.yml",
                f"--storage.tsdb.path={home}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=(home / "log").open("w"),
        )

    def ask(self, path: str, **parameters: str):
        url = self.url + path + "?" + urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            # It listens before it is ready.
            if error.code == 503:
                return None
            raise SystemExit(f"{parameters}: {error.read().decode()}") from None
        except OSError:
            return None

    def query(self, expression: str):
        found = self.ask("query", query=expression)
        return found and found["result"]


def questions() -> list[str]:
    dashboard = json.loads((ROOT / "config/dashboard.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [it["expr"] for it in dashboard["annotations"]["list"]]
    fill = {"$instance": ".*", "$__rate_interval": "10s", "$__interval": "10s"}
    for name, value in fill.items():
        found = [question.replace(name, value) for question in found]
    return found


def main(program: str) -> None:
    demo = Demo(program)
    prometheus = None
    try:
        lint(demo)
        with tempfile.TemporaryDirectory() as home:
            prometheus = Prometheus(demo.url.removeprefix("http://").rstrip("/"), Path(home))
            until("a scrape", lambda: prometheus.query('up{job="xmpp-edge"} == 1'))
            until("three scrapes", lambda: prometheus.query("count_over_time(up[1m]) >= 3"))
            samples = [line for line in demo.get("/metrics").splitlines() if not line.startswith("#")]
            taken = prometheus.query('scrape_samples_scraped{job="xmpp-edge"}')[0]["value"][1]
            if int(taken) != len(samples):
                raise SystemExit(f"{taken} samples were taken of {len(samples)}")
            asked = questions()
            for question in asked:
                prometheus.query(question)
            rules = until(
                "an evaluation of all rules",
                lambda: [
                    rule
                    for group in prometheus.ask("rules")["groups"]
                    for rule in group["rules"]
                    if rule["health"] != "unknown"
                ],
            )
            sick = [rule["name"] for rule in rules if rule["health"] != "ok"]
            if sick or not rules:
                raise SystemExit(f"these rules cannot be evaluated: {sick}")
            delivered = prometheus.query("sum(xmpp_edge_stanzas_delivered_total)")[0]["value"][1]
            if float(delivered) == 0:
                raise SystemExit("the demo has sent stanzas, and none was counted")
            print(f"Prometheus takes {taken} samples, answers {len(asked)} questions, evaluates {len(rules)} rules")
    finally:
        if prometheus:
            prometheus.process.terminate()
            prometheus.process.wait(30)
        demo.end()


main(sys.argv[1])
