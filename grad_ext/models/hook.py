"""The forward hook of an attachment: finds a submodule and stores its latest representation."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from grad_ext.errors import InputError, unknown


class Hook:
    """A forward hook that stores the representation of the latest relevant pass, for each mode.

    See `grad_ext.models.attachment.Attachment` for which passes are relevant. Copying or pickling
    the hooked module replaces the hook by one that does nothing.

    Parameters
    ----------
    owner : torch.nn.Module
        The attachment, whose mode decides which passes are stored.
    module : torch.nn.Module
        The user's module.
    point : torch.nn.Module
        The submodule whose output is stored.
    pool : callable
        Maps the output to a representation of shape (N, H).

    Attributes
    ----------
    stored : dict of bool to Tensor of shape (N, H)
        The representation of the latest pass in training mode (True) and in evaluation mode.
    place : str
        The submodule's name, for error messages.
    """

    def __init__(
        self,
        owner: nn.Module,
        module: nn.Module,
        point: nn.Module,
        pool: Callable[[Any], Tensor],
    ) -> None:
        # The module holds this hook, which must not keep the attachment alive.
        self.owner = weakref.ref(owner)
        self.module, self.point, self.pool = module, point, pool
        self.stored: dict[bool, Tensor] = {}
        names = [name for name, part in module.named_modules() if part is point]
        self.place = repr(names[0]) if names and names[0] else "the module"

    def __call__(self, module: nn.Module, args: object, output: Any) -> None:
        owner = self.owner()
        if owner is None or module is not self.point:
            return
        if not owner.training:
            self.stored[False] = self.representation(output)
        elif self.module.training and torch.is_grad_enabled():
            self.stored.pop(False, None)
            self.stored[True] = self.representation(output)

    def representation(self, output: Any) -> Tensor:
        """Return the input of the branches, of shape (N, H).

        It is a copy, since later operations may change the output in place.
        """
        h = self.pool(output)
        if not isinstance(h, Tensor) or h.ndim != 2 or not h.is_floating_point():
            raise InputError(
                f"pool must return floating-point numbers of shape (N, H), got {described(h)} "
                f"from the output of {self.place}"
            )
        return h.to(torch.promote_types(h.dtype, torch.float32), copy=True)

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return NoHook, ()


class NoHook:
    """The hook of a copy of the module: does nothing."""

    def __call__(self, module: nn.Module, args: object, output: object) -> None: ...


def find_submodule(module: nn.Module, at: object) -> tuple[nn.Module, nn.Module]:
    """Return a module, without the wrapper of `torch.compile`, and its submodule.

    Raises
    ------
    InputError
        If there is no such submodule.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    module = module._modules.get("_orig_mod") or module
    if at is None or isinstance(at, str):
        try:
            return module, module.get_submodule(at or "")
        except AttributeError:
            every = [name for name, _ in module.named_modules() if name]
            top = [name for name, _ in module.named_children()]
            near = get_close_matches(str(at), every, n=8, cutoff=0.4)
            raise unknown("submodule", at, dict.fromkeys((*near, *top))) from None
    if not callable(at):
        raise InputError(f"at must be a submodule's name or a callable, got {at!r}")
    point = at(module)
    if not isinstance(point, nn.Module):
        raise InputError(f"at must return a submodule of the module, got {described(point)}")
    if not any(part is point for part in module.modules()):
        raise InputError(f"at returned a {type(point).__name__} that is no part of the module")
    return module, point


def pooled(output: Any) -> Tensor:
    """Return a tensor output averaged over time or space, of shape (N, H).

    Raises
    ------
    InputError
        If the output is not a tensor of floating-point numbers of rank 2 to 5.
    """
    if not isinstance(output, Tensor):
        raise InputError(
            f"the output is a {type(output).__name__}, not a tensor: give pool, a callable that "
            "gets it and returns a tensor of shape (N, H), such as pool=lambda output: output[0]"
        )
    if not output.is_floating_point() or not 2 <= output.ndim <= 5:
        raise InputError(
            "expected floating-point numbers of shape (N, H), (N, T, H) or (N, C, ...) with one to "
            f"three axes of space, got {described(output)}: choose another submodule or give pool"
        )
    if output.ndim == 2:
        return output
    over = (1,) if output.ndim == 3 else tuple(range(2, output.ndim))
    return output.mean(over, dtype=torch.promote_types(output.dtype, torch.float32))


def described(value: object) -> str:
    """Return a value's type, and the shape of a tensor, for error messages."""
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return f"{type(value).__name__}"
