"""A user's own torch module as the trunk of P networks.

The paper's branches can be put on the output of any network. This one is a `torch.nn.Module` that maps
rows (B, D) to units (B, H); branches, losses and the optimiser are unchanged. The module's weights are
parameters of `grad_ext.engine.network.Network`, with the pack axis first, and it gets them through
`torch.func.functional_call`.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.parameter import is_lazy

from grad_ext.errors import InputError
from grad_ext.seeds import derive

Factory = Callable[[int], nn.Module]
Size = tuple[int, ...]

# Rows of the passes that test a module; enough for a batch normalisation.
PROBE_ROWS = 16
# Largest difference by rounding between two ways to compute one module in float32.
TOLERANCE = 1e-3
# Only one call at a time may use torch's global generator and a module's weights.
_BORROWED = threading.RLock()


@contextmanager
def _generator(seed: int, *names: str) -> Iterator[None]:
    """Seed torch's global generator inside the block, and restore it afterwards."""
    with _BORROWED, torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the generators of all devices.
        torch.default_generator.manual_seed(derive(seed, *names))
        yield


class ModuleTrunk:
    """A user's module as a trunk, and the initial weights of P of them.

    **Packs.** A module without buffers that draws no random numbers is trained in packs, through
    `torch.func.vmap`: results equal those of training alone up to rounding, which an adversarial
    game amplifies step by step. Any other module (batch normalisation, dropout, operations that vmap
    cannot batch), and a single one, is called member by member: then results do not depend on the
    rest of the pack, bit for bit, as with the default trunk. Which of the two is possible is tested
    at the start. Scoring is always member by member.

    **Randomness.** torch's global generator, from which modules draw their initial weights and
    their dropout, is seeded by the member's own seed (and step) during a call and then restored.
    Generators of other libraries and devices are not seeded, so a module that uses those is not
    repeatable.

    **State.** Parameters that require gradients are trained; others do not change. Buffers are
    updated by the training passes. A module must compute in its input's precision, since fitted
    models score in float64, and treat every row by itself in evaluation mode. Its last layer needs
    no bias: the branches' first batch normalisation cancels it, and Adam changes it by rounding
    alone.

    Parameters
    ----------
    factory : callable
        Gets the number of features D and returns a `torch.nn.Module` that maps float tensors of
        shape (B, D) to float tensors of shape (B, H). Lazy layers are allowed.
    features : int
        D.
    seeds : sequence of int
        One seed for each member's initial weights.

    Attributes
    ----------
    width : int
        H.
    packed : bool
        Whether training goes through `torch.func.vmap`.
    parameters : dict of str to tuple of int
        Shape of every trained parameter of one member, by its name in the module.
    fixed : dict of str to tuple of (tuple of int, torch.dtype)
        Shape and dtype of every untrained parameter and buffer; floats are converted to the
        network's precision.
    initial : dict of str to Tensor of shape (P, ...)
        Initial values of all of them; empty in a network's copy.

    Raises
    ------
    InputError
        If the factory does not return a module, or its module cannot serve as a trunk.
    """

    def __init__(self, factory: Factory, features: int, seeds: Sequence[int]) -> None:
        if isinstance(factory, nn.Module) or not callable(factory):
            raise InputError(
                "trunk: expected a function that gets the number of features and returns a "
                f"torch.nn.Module, got {type(factory).__name__}"
            )
        built = [_built(factory, features, seed) for seed in seeds]
        module, expected = built[0]
        self.width = expected.shape[1]
        self.parameters: dict[str, Size] = {}
        self.fixed: dict[str, tuple[Size, torch.dtype]] = {}
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                self.parameters[name] = tuple(parameter.shape)
            else:
                self.fixed[name] = tuple(parameter.shape), parameter.dtype
        if not self.parameters:
            raise InputError("trunk: expected a module with parameters to train, got none")
        self._buffers = [name for name, _ in module.named_buffers()]
        self.fixed |= {name: (tuple(b.shape), b.dtype) for name, b in module.named_buffers()}
        self.initial = _stacked([module for module, _ in built])
        self._module = module
        self._working: nn.Module | None = None
        self._steps = 0
        self._forget_weights()
        self.packed = False
        self._check(features, expected)
        if len(seeds) > 1 and not self._buffers:
            self.packed = self._packs(features, seeds)

    def _forget_weights(self) -> None:
        # A module that computes with weights of its own instead of those it is handed would train
        # nothing and say nothing: so that it shows, it has none.
        with torch.no_grad():
            for name, parameter in self._module.named_parameters():
                if name in self.parameters:
                    parameter.fill_(torch.nan)

    def bare(self) -> ModuleTrunk:
        """Return the trunk without initial weights and with state of its own, for one network."""
        bare = copy.copy(self)
        bare.initial = {}
        bare._working, bare._steps = None, 0
        return bare

    def __getstate__(self) -> dict[str, Any]:
        # The working copy may hold activations, which cannot be copied.
        return {**vars(self), "_working": None}

    def outputs(self, x: Tensor, tensors: Mapping[str, Tensor], seeds: Sequence[int]) -> Tensor:
        """Return the output of every member's module for its own minibatch, in training mode.

        Parameters
        ----------
        x : Tensor of shape (P, B, D)
            A minibatch for each member.
        tensors : mapping of str to Tensor of shape (P, ...)
            Parameters, untrained parameters and buffers by their names in the module; the buffers
            are updated.
        seeds : sequence of P ints
            Seeds of the modules' random numbers.

        Returns
        -------
        Tensor of shape (P, H, B)

        Raises
        ------
        InputError
            If the output is not a float tensor of shape (B, H).
        """
        self._steps += 1
        if self.packed:
            return self._together(x, tensors)
        outputs = []
        for seed, rows, (values, buffers) in zip(seeds, x, self._members(tensors), strict=True):
            with _generator(seed, "trunk", str(self._steps)):
                outputs.append(self._call(values, rows, training=True).T)
            with torch.no_grad():
                # A module may write into its buffers or replace them.
                for name, buffer in buffers.items():
                    buffer.copy_(values[name])
        return torch.stack(outputs)

    @torch.no_grad()
    def representations(self, rows: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the output of every member's module for the same rows, in evaluation mode.

        Parameters
        ----------
        rows : Tensor of shape (N, D)
            Rows, the same for all members.
        tensors : mapping of str to Tensor of shape (P, ...)
            As in `outputs`; buffers are not updated.

        Returns
        -------
        Tensor of shape (P, H, N)

        Raises
        ------
        InputError
            If the output is not a float tensor of shape (N, H).
        """
        outputs = []
        for values, _ in self._members(tensors):
            with _generator(0, "scores"):
                outputs.append(self._call(values, rows, training=False).T)
        return torch.stack(outputs)

    def _members(
        self, tensors: Mapping[str, Tensor]
    ) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """Yield every member's tensors, with copies of the buffers, and the buffers themselves."""
        for row in zip(*(tensor.unbind() for tensor in tensors.values()), strict=True):
            values = dict(zip(tensors, row, strict=True))
            buffers = {name: values[name] for name in self._buffers}
            yield values | {name: buffer.clone() for name, buffer in buffers.items()}, buffers

    def _together(self, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
        def one(values: dict[str, Tensor], rows: Tensor) -> Tensor:
            return self._call(values, rows, training=True)

        with _BORROWED:
            outputs: Tensor = vmap(one)(dict(tensors), x)
        return outputs.transpose(1, 2).contiguous()

    def _call(self, values: dict[str, Tensor], rows: Tensor, training: bool) -> Tensor:
        """Run the module with the given tensors; buffers among them are updated."""
        if self._working is None:
            self._working = copy.deepcopy(self._module)
        module = self._working.train(training)
        return _checked(functional_call(module, values, (rows,), strict=True), rows)

    def _check(self, features: int, expected: Tensor) -> None:
        """Check that the module computes with the tensors it is given, and in their precision."""
        rows = torch.zeros(PROBE_ROWS, features)
        try:
            got = self.representations(rows, self.initial)[0].T
            faithful = torch.allclose(got, expected, TOLERANCE, TOLERANCE, equal_nan=True)
        except RuntimeError as error:
            raise InputError(f"trunk: the module does not run as a function: {error}") from error
        if not faithful:
            raise InputError(
                "trunk: the module does not compute with the weights that "
                "torch.func.functional_call hands it"
            )
        exact = {
            name: value.double() if value.is_floating_point() else value
            for name, value in self.initial.items()
        }
        try:
            precision = self.representations(rows.double(), exact).dtype
        except RuntimeError as error:
            raise InputError(
                f"trunk: expected a module that follows its input's precision to float64: {error}"
            ) from error
        if precision != torch.float64:
            raise InputError(
                "trunk: expected a module that follows its input's precision, "
                f"got {precision} for float64"
            )
        values, _ = next(self._members(self._trainable()))
        with _generator(0, "probe"):
            if not self._call(values, rows, training=True).requires_grad:
                raise InputError("trunk: the module's output carries no gradient")

    def _trainable(self) -> dict[str, Tensor]:
        """Return the initial tensors, with copies of the parameters that require gradients."""
        fresh = {name: self.initial[name].clone().requires_grad_() for name in self.parameters}
        return self.initial | fresh

    def _packs(self, features: int, seeds: Sequence[int]) -> bool:
        """Return whether the pack has the outputs that its members have alone, and gradients."""
        one_hot = torch.eye(features).repeat(-(-PROBE_ROWS // features), 1)[:PROBE_ROWS]
        x = one_hot.expand(len(seeds), -1, -1)
        tensors = self._trainable()
        leaves = [tensors[name] for name in self.parameters]
        try:
            # vmap refuses random numbers, and warns of operations that it does one by one.
            with _generator(0, "probe"), warnings.catch_warnings():
                warnings.simplefilter("error")
                together = self._together(x, tensors)
                torch.autograd.grad(together.sum(), leaves, allow_unused=True)
            alone = self.bare().outputs(x, tensors, seeds)
        # There is no list of what vmap cannot do, and `_check` has tested the module itself.
        except Exception:  # noqa: BLE001
            return False
        return torch.allclose(together, alone, TOLERANCE, TOLERANCE)


def _built(factory: Factory, features: int, seed: int) -> tuple[nn.Module, Tensor]:
    """Return one member's module in float32, and its output (B, H) for rows of zeros."""
    rows = torch.zeros(PROBE_ROWS, features)
    with _generator(seed, "weights", "trunk"):
        built = factory(features)
        if not isinstance(built, nn.Module):
            raise InputError(
                f"trunk: expected a function that returns a torch.nn.Module, got {built!r}"
            )
        try:
            # Lazy layers draw their weights in their first pass, and cannot be copied before it.
            if any(map(is_lazy, (*built.parameters(), *built.buffers()))):
                with torch.no_grad():
                    built.eval()(rows)
            # A copy, since the function may return a module that is the user's own.
            module = copy.deepcopy(built).float().eval()
            with _generator(0, "scores"), torch.no_grad():
                output = module(rows)
        except Exception as error:
            raise InputError(
                f"trunk: expected a module that can be copied and takes rows of shape "
                f"{tuple(rows.shape)}, got {type(error).__name__}: {error}"
            ) from error
    if any(value.is_complex() for value in module.parameters()):
        raise InputError("trunk: expected real parameters, got complex ones")
    return module, _checked(output, rows)


def _checked(output: object, rows: Tensor) -> Tensor:
    """Return a module's output, if it is a float tensor of shape (B, H)."""
    if not isinstance(output, Tensor):
        raise InputError(
            f"trunk: expected a module that returns a tensor, got {type(output).__name__}"
        )
    if output.ndim != 2 or len(output) != len(rows) or not output.shape[1]:
        raise InputError(
            f"trunk: expected a module that returns shape ({len(rows)}, H) for "
            f"{tuple(rows.shape)}, got {tuple(output.shape)}"
        )
    if not output.is_floating_point():
        raise InputError(f"trunk: expected a module that returns floats, got {output.dtype}")
    return output


def _stacked(modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return the parameters and buffers of equal modules by name, each of shape (P, ...)."""
    members = [
        {name: value.detach() for name, value in (*m.named_parameters(), *m.named_buffers())}
        for m in modules
    ]
    sizes = [{name: value.shape for name, value in member.items()} for member in members]
    if any(size != sizes[0] for size in sizes):
        raise InputError("trunk: expected a function that returns modules of one shape")
    return {name: torch.stack([member[name] for member in members]) for name in members[0]}
