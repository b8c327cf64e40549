"""Ways to add up the messages of a graph, timed: forward alone and the gradient.

``python experiments/mesh/gather.py`` writes ``gather.csv`` beside this file: milliseconds of
the processor.
"""

import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree

from pinnlab.core.rows import write_rows

WIDTH, MEMBERS, REPEATS = 32, 8, 20


def neighbours(nodes, k, seed=0):
    points = np.random.default_rng(seed).uniform(size=(nodes, 2))
    return cKDTree(points).query(points, k)[1].astype(np.int32)


def dense(index):
    return lambda h, e: jnp.mean(jax.nn.gelu(h[index] + e), axis=1)


def segments(index, act=jax.nn.gelu):
    n, k = index.shape
    receivers = jnp.repeat(jnp.arange(n), k)

    def add(h, e):
        made = act(h[index.reshape(-1)] + e.reshape(n * k, -1))
        return jax.ops.segment_sum(made, receivers, n, indices_are_sorted=True) / k

    return add


def rectified(index):
    """Segments, with another activation."""
    return segments(index, jax.nn.relu)


def transposed(index):
    """As dense, but the gradient of the gather is a gather too, by the table of receivers."""
    n, k = index.shape
    flat = index.reshape(-1)
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=n)
    most = counts.max()
    slot = np.arange(n * k) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((n, most), n * k)
    table[flat[order], slot] = order

    @jax.custom_vjp
    def gather(h):
        return h[index]

    def backward(_, g):
        g = jnp.concatenate([g.reshape(n * k, -1), jnp.zeros((1, g.shape[-1]), g.dtype)])
        return (jnp.sum(g[table], axis=1),)

    gather.defvjp(lambda h: (h[index], None), backward)
    return lambda h, e: jnp.mean(jax.nn.gelu(gather(h) + e), axis=1)


def seconds(program, *given):
    jax.block_until_ready(program(*given))
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        jax.block_until_ready(program(*given))
        times.append(time.process_time() - begun)
    return float(np.median(times))


def main():
    rows = []
    for nodes, k in ((800, 9), (3200, 9), (800, 25)):
        index = neighbours(nodes, k)
        random = np.random.default_rng(1)
        h = jnp.asarray(random.normal(size=(MEMBERS, nodes, WIDTH)), "float32")
        e = jnp.asarray(random.normal(size=(nodes, k, WIDTH)), "float32")
        for way in (dense, segments, rectified, transposed):
            layer = jax.vmap(way(index), in_axes=(0, None))
            slope = jax.grad(lambda h, e, layer=layer: jnp.sum(layer(h, e) ** 2), argnums=(0, 1))
            both = [1e3 * seconds(jax.jit(f), h, e) for f in (layer, slope)]
            rows.append([way.__name__, nodes, k, *(f"{t:.2f}" for t in both)])
            print(*rows[-1])
    columns = ("way", "nodes", "neighbours", "forward_ms", "gradient_ms")
    table = [dict(zip(columns, row, strict=True)) for row in rows]
    write_rows(Path(__file__).parent / "gather.csv", table)


if __name__ == "__main__":
    main()
