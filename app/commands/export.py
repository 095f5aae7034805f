"""`photomend export`: a network as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from ...core import PhotomendError, replacing
from ...core.backend.runtime import set_threads
from ..options import check_target
from ..paths import FILE
from ..reconstructors import load_network


@click.command("export", no_args_is_help=True)
@click.argument("model")
@click.option("-o", "--output", type=FILE, required=True, help="The file to write; its name ends in .onnx.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists already.")
def command(model: str, output: Path, overwrite: bool) -> None:
    """Write a network as an ONNX file, to be used without photomend or looked at in Netron.

    MODEL is a network's name, a run folder or a weights file. The file takes photos (N, 3, H, W) from 0 to 1 and their
    masks (N, 1, H, W), 1 = missing, and gives the photos rebuilt; the first guess is part of it. Its nodes are called
    like the network's modules, its weights as in the state dict. Where onnxruntime is installed, both are compared.

    Needs onnx: pip install photomend[export]

    \b
    photomend export attention -o attention.onnx
    photomend export RUN -o run.onnx --overwrite
    """
    check_target(output, ".onnx", overwrite=overwrite)
    set_threads(None)
    network = load_network(model)
    try:
        from ..export import check, facts, models
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "onnx":
            raise
        raise PhotomendError("export needs the package onnx: pip install photomend[export]") from error
    file = models.export(network, facts.facts(model, network))
    differs = check.difference(file, network)
    if differs is not None and not differs <= check.TOLERANCE:
        raise PhotomendError(f"{output}: isn't written, because onnxruntime's answers differ by {differs:.1e}")
    content = file.SerializeToString()
    with replacing(output) as draft:
        draft.write_bytes(content)
    compared = "onnxruntime isn't installed" if differs is None else f"onnxruntime's answers differ by {differs:.0e}"
    size, nodes, opset = len(content) / 1e6, len(file.graph.node), file.opset_import[0].version
    click.echo(f"{output}  {size:.3g} MB, {nodes} nodes, opset {opset}; {compared}")
