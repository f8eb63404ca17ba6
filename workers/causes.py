"""What rules of a diagnosis look for, and how they say it. `diagnosis` has the table of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from workers.evidence import FEW, Evidence, named, share, some

__all__ = [
    "Reasons",
    "Tell",
    "Told",
    "at_host",
    "internal",
    "manifest",
    "no_network",
    "of_all",
    "one_host",
    "placeholders",
    "resolver",
    "retryable",
    "slow_line",
    "tls",
    "unknown_hosts",
]

#: So many hosts have it, and it is not the hosts.
SEVERAL = 3
MANY = 10
#: Failures of all kinds at one host, from which on it is the host.
MIXED = 50


class Told(NamedTuple):
    """What a rule found."""

    rows: int  #: that it is about
    says: str


Reasons = frozenset[str]
Tell = Callable[[Evidence, Reasons], Told | None]


def internal(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Errors of our own: even one is told."""
    if not (rows := evidence.of(reasons)):
        return None
    return Told(
        rows,
        f"{some(rows, 'row')} met an error of the census itself (internal): a bug; please report"
        " it, with what the log says.",
    )


def manifest(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Rows that are no URLs: half of the failures and a fifth of the rows, or it is only they."""
    rows = evidence.of(reasons)
    if rows < FEW or 2 * rows < evidence.failed or 5 * rows < evidence.rows:
        return None
    counts = sorted(((evidence.of([one]), one) for one in reasons), reverse=True)
    told = ", ".join(f"{count:,} {name}" for count, name in counts if count)
    part = share(rows, evidence.rows).capitalize()
    return Told(
        rows,
        f"{part} of the rows cannot be asked for as they stand ({told}): is `url` the right column,"
        " is what separates columns that of the format (tabs in TSV, commas in CSV), do URLs begin"
        " with http:// or https://?",
    )


def resolver(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Look-ups that could not be answered, half of the failures."""
    rows = evidence.of(reasons)
    if not evidence.worth_telling(rows) or 2 * rows < evidence.failed:
        return None
    if (host := evidence.only_host(reasons)) is not None:
        told = evidence.told(rows)
        says = f"{host} cannot be looked up now ({told}): its name servers, or the resolver here."
    else:
        says = f"{evidence.of_failures(rows)} are dns_temporary: the resolver, not the links."
    return Told(rows, says)


def unknown_hosts(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Names that do not exist: one, nearly all, or a quarter of the failures."""
    rows = evidence.of(reasons)
    if not evidence.worth_telling(rows) or 4 * rows < evidence.failed:
        return None
    told, where = evidence.told(rows), evidence.where(reasons)
    if (host := evidence.only_host(reasons)) is not None:
        says = (
            f"The host name {host} does not exist (dns_not_found, {told}): mistyped, given up, or"
            " known to another resolver only."
        )
    elif 10 * rows >= 9 * evidence.tried and evidence.many_hosts(reasons, SEVERAL):
        none = "No" if rows >= evidence.tried else "Hardly any"
        says = (
            f"{none} host name was found (dns_not_found, {told}{where}): no network here, or names"
            " that only an internal resolver knows."
        )
    else:
        says = (
            f"{evidence.of_failures(rows)} name hosts that do not exist{where} (dns_not_found):"
            " asking again will hardly help."
        )
    return Told(rows, says)


def no_network(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Nearly everything fails before an answer, at several hosts."""
    rows = evidence.of(reasons)
    if rows < FEW or 10 * rows < 9 * evidence.tried:
        return None
    if not evidence.many_hosts(reasons, SEVERAL):
        return None
    none = "No" if rows >= evidence.tried else "Hardly any"
    told, where = evidence.told(rows), evidence.where(reasons)
    says = f"{none} host could be reached ({told}{where}): no network here, or a firewall between."
    return Told(rows, says)


def slow_line(evidence: Evidence, reasons: Reasons) -> Told | None:
    """Timeouts at many hosts, at none of them most."""
    rows = evidence.of(reasons)
    if not evidence.worth_telling(rows) or 2 * rows < evidence.failed:
        return None
    if not evidence.many_hosts(reasons, MANY):
        return None
    if (places := evidence.places(reasons)) and 2 * places[0].rows >= rows:
        return None
    return Told(
        rows,
        f"{evidence.of_failures(rows)} are timeouts{evidence.where(reasons)}: the line may be full;"
        " lower CENSUS_MAX_CONNECTIONS or raise CENSUS_TIMEOUT.",
    )


def tls(evidence: Evidence, reasons: Reasons) -> Told | None:
    """At several hosts it is this machine, else it is the host."""
    rows = evidence.of(reasons)
    if not evidence.worth_telling(rows):
        return None
    if evidence.many_hosts(reasons, SEVERAL):
        advice = "are the clock and the CA store of this machine right?"
    else:
        advice = "a certificate that expired, is for another name, or is signed by nobody known."
    return Told(rows, f"{some(rows, 'row')} failed in TLS{evidence.where(reasons)}: {advice}")


def placeholders(evidence: Evidence, _: Reasons) -> Told | None:
    """The host with the most suspects. These rows have not failed."""
    suspect = sorted(
        (-host.placeholders, name)
        for name, host in evidence.hosts.hosts.items()
        if host.placeholders >= FEW
    )
    if not suspect:
        return None
    rows, name = -suspect[0][0], suspect[0][1]
    least = "At least " if evidence.hosts.hosts[name].at_least else ""
    others = f" {some(len(suspect) - 1, 'other host')} too." if suspect[1:] else ""
    return Told(
        rows,
        f"{least}{some(rows, 'picture')} of {name} look the same as many others there: a"
        f" placeholder for what is gone?{others}",
    )


def one_host(evidence: Evidence, _: Reasons) -> Told | None:
    """Where four fifths of the failures are, unless what an earlier rule told explains them."""
    hosts = evidence.hosts.hosts
    name = max(hosts, key=lambda one: (hosts[one].failed, one), default="")
    if not name or not hosts[name].reasons:
        return None
    rows = {reason: one.rows for reason, one in hosts[name].reasons.items()}
    failed = hosts[name].failed
    if failed < FEW or failed * 10 < evidence.failed * 8:
        return None
    if 2 * sum(rows[one] for one in evidence.explained & rows.keys()) >= failed:
        return None
    most = max(rows, key=lambda one: (rows[one], one))
    if rows[most] * 10 >= failed * 8:
        why = named(most)
    elif failed >= MIXED:
        why = f"for several reasons, most often {named(most)}"
    else:
        return None
    return Told(failed, f"{evidence.of_failures(failed)} are at {name}: {why}.")


def retryable(evidence: Evidence, _: Reasons) -> Told | None:
    """What to do with those that may pass."""
    rows, failed = evidence.retryable, evidence.failed
    if not evidence.worth_telling(rows) or rows > failed:
        return None
    part = some(failed, "failure")
    part = f"All {part}" if rows == failed else f"{rows:,} of {part}"
    return Told(rows, f"{part} may pass: run them again with --only retryable.")


def at_host(does: str, advice: str) -> Tell:
    """Of the host that has most of it. *does* may name its `{statuses}`."""

    def tell(evidence: Evidence, reasons: Reasons) -> Told | None:
        places = [one for one in evidence.places(reasons) if evidence.worth_telling(one.rows)]
        if not places:
            return None
        worst = places[0]
        told = does.format(statuses=" and ".join(map(named, worst.reasons)))
        rows = f"{'at least ' if worst.at_least else ''}{evidence.told(worst.rows)}"
        do = "do" if places[2:] else "does"
        others = f", as {do} {some(len(places) - 1, 'other host')}" if places[1:] else ""
        says = f"{worst.host} {told}{worst.since} ({rows}){others}: {advice}."
        return Told(sum(one.rows for one in places), says)

    return tell


def of_all(sentence: str, *, least: int = 1) -> Tell:
    """Of all rows, if they are *least* percent of the failures. *sentence* may name `{rows}`,
    their `{part}` of the failures, and `{where}`.
    """

    def tell(evidence: Evidence, reasons: Reasons) -> Told | None:
        rows = evidence.of(reasons)
        if not evidence.worth_telling(rows) or rows * 100 < evidence.failed * least:
            return None
        part, where = evidence.of_failures(rows), evidence.where(reasons)
        return Told(rows, sentence.format(rows=some(rows, "row"), part=part, where=where))

    return tell
