"""What this machine can do at best: FLOP/s of matrix products and bytes per second between memory and processor.

They are the denominators of `limit_fraction`, so they must not be lower than what a real kernel reaches: of several
operations, sizes and repeats the best counts, and measuring again can only raise them, unless they are refreshed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from tbench.measure import allocator, cache, machine
from tbench.measure.ahead import settle
from tbench.measure.device import Device, open_device
from tbench.measure.sampler import Ring, calibrate
from tbench.measure.timed import Call
from tbench.records import Again, Ceilings, Sampling

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
BUSY = 0.2  # cores that others use: from here on ceilings come out low
FREE_SHARE = 1 / 4  # of free memory that matrices or a working set may take
SMALLEST_SIDE, LARGEST_SIDE = 256, 16384
LONGEST_PRODUCT = 0.05  # seconds; larger matrices are not tried
PRODUCT_SECONDS = 0.04  # per size and layout
SMALLEST_SET = 2**18  # bytes; below, a call costs more than its reading
LARGEST_SET = {"cpu": 2**29, "cuda": 2**32}
READ_SECONDS = 0.01  # per pass, working set and operation
PASSES = 2  # over all working sets, so that a busy moment of others does not spoil one for good
HEADS, HEAD_DIM = 8, 128  # of the KV cache as which the working set is read

# A float32 product on tensor cores with float32's accuracy takes three TF32 ones (CUTLASS OpMultiplyAddFastF32,
# which PyTorch's efficient attention uses): faster than the ordinary cores, so it belongs to the ceiling.
TF32_PRODUCTS = 3


def load_or_measure(device: str, again: Again = "") -> Ceilings:
    """The ceilings of `device` (`cpu` or `cuda:N`) with this process's threads, kept from before or measured now.

    `again`: "" measures only where nothing is kept, or what is kept was measured while others used the processor and
    they do so less now; "raise" measures and keeps the better of old and new, entry by entry; "replace" forgets the
    old ones. Takes a few seconds and the whole machine when it measures.
    """
    file = cache.path(device)
    kept = None if again == "replace" else cache.load(file)
    if kept is not None and not again and kept.load <= BUSY:
        return kept
    load = machine.other_load() or 0.0
    if kept is not None and not again and load >= kept.load:
        return kept
    ceilings = replace(measure(open_device(device)), load=load)
    if kept is not None:
        ceilings = best_of(kept, ceilings)
    cache.save(file, ceilings)
    return ceilings


def measure(device: Device) -> Ceilings:
    """Measure everything once. A dtype that no matrix product here has no entry."""
    import torch

    return Ceilings(
        flops=product_rates(device),
        bandwidth=tuple(read_rates(device).items()),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=torch.get_num_threads(),
        page_fault_seconds=allocator.page_fault_seconds() if device.name == "cpu" else None,
    )


def best_of(old: Ceilings, new: Ceilings) -> Ceilings:
    """The higher of both, entry by entry: load from other processes can only have lowered one of them."""
    flops = {dtype: max(old.flops.get(dtype, 0.0), new.flops.get(dtype, 0.0)) for dtype in {**old.flops, **new.flops}}
    rates = dict(old.bandwidth)
    for size, rate in new.bandwidth:
        rates[size] = max(rate, rates.get(size, 0.0))
    faults = [one.page_fault_seconds for one in (old, new) if one.page_fault_seconds is not None]
    load = min(old.load, new.load)
    rates_ = tuple(sorted(rates.items()))
    return Ceilings(flops, rates_, new.measured_at, new.threads, load, min(faults, default=None))


# ---------------------------------------------------------------------- matrix products


def product_rates(device: Device) -> dict[str, float]:
    """FLOP/s of the best square matrix product by dtype, and on a GPU in TF32."""
    rates = {dtype: rate for dtype in DTYPES if (rate := product_rate(device, dtype)) is not None}
    if "float32" in rates and device.name != "cpu":
        with tf32():
            rates["tf32"] = fastest_product(device, "float32")
        rates["float32"] = max(rates["float32"], rates["tf32"] / TF32_PRODUCTS)
    return rates


def product_rate(device: Device, dtype: str) -> float | None:
    """FLOP/s of the best square matrix product, None if the dtype no matrix product here."""
    try:
        return fastest_product(device, dtype) or None  # not even the smallest matrices fit
    except RuntimeError:  # "not implemented for 'Half'" and the like
        return None


def fastest_product(device: Device, dtype: str) -> float:
    """The best of both layouts of the second factor, over sides growing by two until one product takes too long.

    Three float32 matrices must fit into the share of memory.
    """
    import torch

    best = 0.0
    for transposed in (False, True):
        side, seconds = SMALLEST_SIDE, 0.0
        room = device.free_bytes() * FREE_SHARE
        while side <= LARGEST_SIDE and 12 * side**2 <= room and 8 * seconds <= LONGEST_PRODUCT:
            a, b = (torch.randn(side, side, device=device.name).to(getattr(torch, dtype)) for _ in range(2))
            seconds = shortest(device, partial(torch.matmul, a, b.mT if transposed else b), PRODUCT_SECONDS)
            best = max(best, 2 * side**3 / seconds)
            side *= 2
    return best


@contextmanager
def tf32() -> Iterator[None]:
    """Let float32 products run as TF32."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


# ---------------------------------------------------------------------- reading


def read_rates(device: Device) -> dict[int, float]:
    """Bytes per second by working set in bytes, ascending by powers of two.

    The largest is past every last-level cache, or what free memory allows.
    """
    largest = min(LARGEST_SET[device.name.split(":")[0]], int(device.free_bytes() * FREE_SHARE))
    sizes = [SMALLEST_SET]
    while 2 * sizes[-1] <= largest:
        sizes.append(2 * sizes[-1])
    everything = filled(sizes[-1], device.name)
    rates = dict.fromkeys(sizes, 0.0)
    for _ in range(PASSES):
        for size in sizes:
            seconds = min(shortest(device, read, READ_SECONDS) for read in reads(everything[: size // 4]))
            rates[size] = max(rates[size], size / seconds)
    return rates


def filled(size: int, device: str) -> torch.Tensor:
    """`size` bytes of float32: a random block, repeated (making that many random numbers would take seconds)."""
    import torch

    block = SMALLEST_SET // 4
    return torch.randn(block, device=device).repeat(size // SMALLEST_SET)


def reads(x: torch.Tensor) -> tuple[Call, ...]:
    """Operations that move all of `x` once; which is fastest differs with the size.

    Shapes: x (bytes / 4,). The batched products are what decoding does with the keys and the values of a cache of
    HEADS heads. The copy reads one half and writes the other: bytes written count as bytes moved, as in `Work`.
    """
    import torch

    half = x.numel() // 2
    first, second = x[:half], x[half:]
    heads = x.view(HEADS, -1, HEAD_DIM)
    query = torch.randn(HEADS, 1, HEAD_DIM, device=x.device)
    weights = torch.randn(HEADS, 1, heads.shape[1], device=x.device)
    return (
        x.sum,
        partial(torch.dot, first, second),
        partial(first.copy_, second),
        partial(torch.bmm, query, heads.mT),
        partial(torch.bmm, weights, heads),
    )


def shortest(device: Device, fn: Call, seconds: float) -> float:
    """Seconds per call in the fastest of the samples that fit into `seconds`, at least one after calibration.

    By the clock that rows are measured by: a ceiling with the host in it would lie below what it is a ceiling of.
    """
    ring = Ring([fn])
    calls = calibrate(device, ring, Sampling())
    ahead = 0
    if device.asynchronous:
        ahead, _ = settle(device, ring, calls)
        calls = ahead or calls
    best = device.time(fn, calls).seconds
    began = device.now()
    while device.now() - began < seconds:
        sample = device.time(fn, calls, ahead=ahead > 0)
        if sample.ahead or not ahead:
            best = min(best, sample.seconds)
    return best
