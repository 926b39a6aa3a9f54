"""headrace mq produce, consume, process: the three programs of the message-queue experiment."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from headrace.cli.output import write_json

if TYPE_CHECKING:
    from headrace.mq import ProgramResult

Url = Annotated[str, typer.Option(help="The broker, such as redis://127.0.0.1:6379.")]
Topic = Annotated[str, typer.Option(help="The topic, queue or stream.")]
Threads = Annotated[int, typer.Option(metavar="N", help="Worker threads, each with a connection of its own.")]
Batch = Annotated[int, typer.Option(metavar="N", help="Messages per request to the broker; 0: batching off.")]
Csv = Annotated[str, typer.Option(metavar="FILE", help="Where the CSV goes; - is standard output.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary, on standard error, as JSON.")]


class Spread(TyperCommand):
    """Lets ``--producers a.csv b.csv`` take all values that follow, as the shell expands ``p*.csv``."""

    names = ("--producers", "--consumers")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args, self.names))


def spread(args: list[str], names: tuple[str, ...]) -> list[str]:
    """``--name a b`` as ``--name a --name b`` for the options called ``names``."""
    out: list[str] = []
    name, taken = "", 0
    for word in args:
        if word.startswith("-"):
            name, taken = (word, 0) if word in names else ("", 0)
            out.append(word)
            continue
        out += [name, word] if name and taken else [word]
        taken += 1
    return out


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The programs of the message-queue experiment.")
    example = "Example: headrace mq produce --url redis://127.0.0.1 --topic t --count 1000 > producer.csv"
    group.command("produce", epilog=example)(produce)
    example = "Example: headrace mq consume --url redis://127.0.0.1 --topic t --count 1000 > consumer.csv"
    group.command("consume", epilog=example)(consume)
    example = "Example: headrace mq process --producers p*.csv --consumers c*.csv --out results"
    group.command("process", cls=Spread, epilog=example)(process)
    app.add_typer(group, name="mq")


def produce(
    url: Url,
    topic: Topic,
    threads: Threads = 1,
    size: Annotated[int, typer.Option(metavar="BYTES", help="Size of a message.")] = 1000,
    batch: Batch = 0,
    count: Annotated[int, typer.Option(metavar="N", help="Messages of each thread.")] = 1000,
    rate: Annotated[
        float,
        typer.Option(metavar="R", help="Messages/s of all threads, on schedule; 0: as fast as acks allow."),
    ] = 0.0,
    window: Annotated[int, typer.Option(metavar="N", help="Unacknowledged messages allowed.")] = 1000,
    payload: Annotated[str, typer.Option(metavar="FILE|random|text", help="What messages consist of.")] = "random",
    csv: Csv = "-",
    json: Json = False,
) -> int:
    """Send messages at least once; print id, time sent and time acknowledged of each as CSV."""
    from headrace import mq

    with _stream(csv) as stream:
        done = mq.produce(
            url=url,
            topic=topic,
            threads=threads,
            size=size,
            batch=batch,
            count=count,
            rate=rate,
            window=window,
            payload=payload,
            csv=stream,
        )
    return _finish(done, json)


def consume(
    url: Url,
    topic: Topic,
    threads: Threads = 1,
    batch: Batch = 0,
    count: Annotated[
        int, typer.Option(metavar="N", help="Messages of the whole program; 0: until Ctrl-C or the timeout.")
    ] = 1000,
    group: Annotated[str, typer.Option(metavar="NAME", help="Consumers of one group share the topic.")] = "headrace",
    timeout: Annotated[
        float, typer.Option(metavar="S", help="Give up after so many seconds without a message; 0: never.")
    ] = 0.0,
    csv: Csv = "-",
    json: Json = False,
) -> int:
    """Receive and acknowledge messages; print id, time received and time acknowledged of each as CSV."""
    from headrace import mq

    with _stream(csv) as stream:
        done = mq.consume(
            url=url,
            topic=topic,
            threads=threads,
            batch=batch,
            count=count,
            group=group,
            timeout=timeout,
            csv=stream,
        )
    return _finish(done, json)


def process(
    producers: Annotated[list[str], typer.Option(metavar="CSV...", help="What producers printed.")],
    consumers: Annotated[list[str], typer.Option(metavar="CSV...", help="What consumers printed.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write the results.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> int:
    """Marry what was sent with what was received; write latencies, throughput, summary and problems."""
    from headrace import mq

    done = mq.process(producers, consumers, out)
    if json:
        names = ("verdict", "reasons", "warnings", "counts", "metrics", "files", "exit_code")
        write_json({name: getattr(done, name) for name in names})
    else:
        print(done.table())
    return int(done.exit_code)


def _stream(path: str) -> Any:
    """The stream for the CSV as a context manager; standard output stays open."""
    if path == "-":
        return nullcontext(sys.stdout)
    from headrace.errors import IoError

    try:
        return open(path, "w", encoding="utf-8", newline="")
    except OSError as error:
        raise IoError(f"cannot write {path}: {error.strerror}") from None


def _finish(done: ProgramResult, json: bool, stream: IO[str] = sys.stderr) -> int:
    if json:
        names = ("kind", "messages", "seconds", "rate", "stats")
        write_json({name: getattr(done, name) for name in names}, stream)
    else:
        print(done.summary(), file=stream)
    return 0
