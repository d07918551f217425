"""`python -m collector.simulator`: the simulator as a process of its own. Arguments only."""

import argparse
from datetime import datetime
from pathlib import Path

from collector.simulator.accounts import Population
from collector.simulator.simulator import run_simulator
from collector.simulator.switches import Switches


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m collector.simulator", description="Serves a simulated ECGridOS."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument(
        "--login-every", type=int, default=5, help="every Nth session logs in; 0: none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--now", type=datetime.fromisoformat, help="the clock stands still at this instant"
    )
    parser.add_argument(
        "--anchor", type=datetime.fromisoformat, help="where the traffic is laid out from"
    )
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--credentials-file", type=Path, help="writes label, api_key, login_name, password"
    )
    parser.add_argument(
        "--allow-remote", action="store_true", help="listen on addresses other than loopback"
    )
    return parser.parse_args()


def main() -> None:
    """Parses the arguments and serves."""
    arguments = _arguments()
    try:
        switches = Switches.parse(dict(_switch(each) for each in arguments.switch))
        population = Population(arguments.sessions, arguments.login_every)
        if arguments.credentials_file is not None:
            population.write_credentials(arguments.credentials_file)
        run_simulator(
            arguments.host,
            arguments.port,
            population,
            switches,
            arguments.seed,
            now=arguments.now,
            anchor=arguments.anchor,
            allow_remote=arguments.allow_remote,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f"simulator: {error}") from None


def _switch(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"switch {text!r}: must be NAME=VALUE")
    return name, value


if __name__ == "__main__":
    main()
