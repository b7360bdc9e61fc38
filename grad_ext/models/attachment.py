"""Reversed attribute branches on any torch module: the paper's "any network".

Raff and Sylvester, "Gradient Reversal Against Discrimination", section 2, puts branches that predict
the protected attributes on the output of a network's trunk and reverses their gradient on its way
into the trunk. Here the trunk is whatever computes the output of a submodule that the user chooses:
a forward hook looks at that output and leaves it as it is, and the branches run when their loss is
asked for. The user's module, its state and its results are untouched.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from grad_ext import checks
from grad_ext.constraints import DEFAULT_CONSTRAINT, constraint_named
from grad_ext.engine.reversal import reverse
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import Branch
from grad_ext.seeds import seed_from, torch_generator
from grad_ext.training.settings import LAMBDA

CONTINUOUS = "continuous"
MISSING = -1


def attach(
    module: nn.Module,
    at: str | Callable[[Any], nn.Module] | None,
    protected: Mapping[str, int | str],
    *,
    lam: float | Mapping[str, float] = LAMBDA,
    hidden: Sequence[int] = (40, 40),
    pool: Callable[[Any], Tensor] | None = None,
    constraint: str = DEFAULT_CONSTRAINT,
    classes: int = 2,
    random_state: object = None,
) -> Attachment:
    """Put reversed attribute branches on the output of a submodule.

    Add ``attachment.loss(a)`` to your own loss and give ``attachment.parameters()`` to your
    optimiser; nothing else changes. The branches learn to predict the protected attributes, and
    what lies below them unlearns what they use.

    Parameters
    ----------
    module : torch.nn.Module
        Any network; neither it nor its output is changed. Of one that went through
        ``torch.compile``, the module inside is meant.
    at : str, None or callable
        Dotted name of the submodule whose output is the representation, such as
        ``'encoder.layer2'``; ``''`` or None is the module itself. A callable gets the module and
        returns the submodule.
    protected : mapping of str to int or 'continuous'
        What each protected attribute holds: its number of groups (2: one logit and the logistic
        loss; more: a logit for each and cross entropy), or ``'continuous'`` (squared error; bring
        its values to about unit variance).
    lam : float or mapping of str to float, default 100.0
        λ, the weight of the attribute losses, one for all or one for each.
    hidden : sequence of int, default (40, 40)
        Units of the hidden layers of every branch, each batch-normalised and rectified. Empty: the
        branch is linear.
    pool : callable, optional
        Gets the submodule's raw output and returns the representation, of shape (N, H). By default
        outputs of shape (N, H) are taken as they are, rank 3 is a sequence (N, T, H) and averaged
        over T, ranks 4 and 5 are feature maps (N, C, ...) and averaged over space.
    constraint : str, default 'demographic_parity'
        The rows among which the branches predict the groups, a name in
        `grad_ext.constraints.CONSTRAINTS`: all rows (demographic_parity), the rows of each label,
        which have a head each (equalized_odds), or those of the label 1 (equal_opportunity). All but
        the first need the labels in `loss`.
    classes : int, default 2
        How many labels there are, for a constraint that looks at them.
    random_state : int, None, numpy.random.RandomState or numpy.random.Generator
        Of the branches' initial weights. torch's global generator is never touched.

    Returns
    -------
    Attachment

    Raises
    ------
    InputError
        If there is no such submodule, or another argument cannot be used.
    """
    return Attachment(
        module,
        at,
        protected,
        lam=lam,
        hidden=hidden,
        pool=pool,
        constraint=constraint,
        classes=classes,
        random_state=random_state,
    )


class Attachment(nn.Module):
    """The branches that `attach` made, a torch module of their own.

    **Which forward pass counts.** The attachment has a mode, as every module has. In training mode
    it speaks of the last pass that its module made in training mode with gradients enabled:
    passes of an evaluation in between, in ``eval()`` or under ``no_grad``, do not disturb it. In
    evaluation mode (after ``attachment.eval()``) it speaks of the last pass made since, whatever
    the module's mode. If the submodule runs several times in a pass, the last time counts.

    **Sizes.** They are found in the first pass, in which the branches also move to the device of
    the representation. Until then the parameters are torch's `UninitializedParameter`: an
    optimiser may have them already. `initialise` makes that first pass at once.

    A copy or a pickle of the user's module is not watched. A copy of an attachment holds the
    branches and watches nothing: attach anew and load its state.

    Parameters
    ----------
    module, at, protected, lam, hidden, pool, constraint, classes, random_state
        See `attach`.

    Attributes
    ----------
    protected : dict of str to int or 'continuous'
        What each attribute holds.
    hidden : tuple of int
        Units of the hidden layers.
    constraint : str
        Which rows count.
    classes : int
        How many labels there are.
    """

    def __init__(
        self,
        module: nn.Module,
        at: str | Callable[[Any], nn.Module] | None,
        protected: Mapping[str, int | str],
        *,
        lam: float | Mapping[str, float],
        hidden: Sequence[int],
        pool: Callable[[Any], Tensor] | None,
        constraint: str,
        classes: int,
        random_state: object,
    ) -> None:
        super().__init__()
        whole = module
        module, point = _find(module, at)
        self.protected = _checked_protected(protected)
        self.hidden = checks.whole_numbers("hidden", hidden)
        self.constraint, self.classes = _checked_constraint(constraint, classes)
        self.lam = lam
        if pool is not None and not callable(pool):
            raise InputError(f"pool must be a callable or None, got {pool!r}")
        seed = seed_from(random_state)
        heads = constraint_named(self.constraint).heads(self.classes)
        self.branches = nn.ModuleDict(
            {
                _key(name): _branch(self.hidden, heads * _outputs(groups), seed, name)
                for name, groups in self.protected.items()
            }
        )
        self._watch: _Watch | None = _Watch(self, module, point, pool or _pooled)
        self._unhook = weakref.finalize(self, point.register_forward_hook(self._watch).remove)
        self._unhook.atexit = False
        if whole is not module:
            # torch does not notice a hook that comes after it has compiled.
            torch.compiler.reset()

    @property
    def lam(self) -> dict[str, float]:
        """λ of each attribute; set it to a number or a mapping, between two steps for a warmup."""
        return dict(self._lam)

    @lam.setter
    def lam(self, lam: float | Mapping[str, float]) -> None:
        if isinstance(lam, Mapping):
            _check_names("lam", lam, self.protected)
            self._lam = {name: checks.lam(lam[name]) for name in self.protected}
        else:
            self._lam = dict.fromkeys(self.protected, checks.lam(lam))

    def loss(self, a: Mapping[str, Tensor], y: Tensor | None = None) -> Tensor:
        """Return the sum of λ times each branch's loss, to be added to one's own loss.

        Parameters
        ----------
        a : mapping of str to Tensor of shape (N,)
            The protected attributes of the rows of the last pass that counts: codes 0, 1, ... of
            the groups, -1 where unknown; or numbers, NaN where unknown. Rows whose value is unknown
            are left out of that branch's mean.
        y : Tensor of shape (N,), optional
            Their labels 0, 1, ..., -1 where unknown, for a constraint that looks at them.

        Returns
        -------
        Tensor of shape ()
            0 where no value is known.

        Raises
        ------
        InputError
            If no pass counts yet, the constraint lacks its labels, or names, lengths or values are
            not as they must be.
        """
        losses = self.losses(a, y)
        return torch.stack([self._lam[name] * loss for name, loss in losses.items()]).sum()

    # So that a wrapper which watches calls, such as DistributedDataParallel, can hold the branches.
    forward = loss

    def losses(self, a: Mapping[str, Tensor], y: Tensor | None = None) -> dict[str, Tensor]:
        """Return each branch's loss without λ, for the log.

        Every call runs the branches, which moves their running statistics in training mode.

        Parameters
        ----------
        a, y
            As for `loss`.

        Returns
        -------
        dict of str to Tensor of shape ()
            Logistic loss or cross entropy in nats, or squared error.
        """
        h = self._seen()
        _check_names("the protected attributes", a, self.protected)
        truth = {name: _values(name, a[name], g, h) for name, g in self.protected.items()}
        counted, heads = self._strata(y, h)
        # Mixed precision ends here: half the digits are too few for a loss times a hundred.
        with torch.autocast(h.device.type, enabled=False):
            return {
                name: _mean_loss(
                    _spoken(self.branches[_key(name)](h), heads, _outputs(groups)),
                    truth[name][0],
                    truth[name][1] & counted,
                    groups,
                )
                for name, groups in self.protected.items()
            }

    def _strata(self, y: Tensor | None, h: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return which rows the constraint compares, and the head of each if there are several."""
        constraint = constraint_named(self.constraint)
        if not constraint.uses_labels:
            return torch.ones(len(h), dtype=torch.bool, device=h.device), None
        if y is None:
            raise InputError(f"constraint {self.constraint!r} needs the rows' labels: loss(a, y)")
        labels, known = _values("the labels", y, self.classes, h)
        strata = torch.from_numpy(constraint.table(self.classes)).to(h.device)[labels.long()]
        heads = strata.clamp_min(0) if constraint.heads(self.classes) > 1 else None
        return known & (strata >= 0), heads

    def initialise(self, *args: Any, **kwargs: Any) -> Self:
        """Give the branches their sizes now, by a pass of the module that leaves no trace.

        The pass is made in evaluation mode without gradients, so it moves no running statistics.

        Parameters
        ----------
        *args, **kwargs
            What the module is called with; one row is enough.

        Returns
        -------
        Attachment
            Itself.
        """
        watch = self._alive()
        modes = {part: part.training for part in (*watch.module.modules(), *self.modules())}
        kept = watch.seen.copy()
        try:
            self.eval()
            watch.module.eval()
            watch.seen.clear()
            with torch.no_grad():
                watch.module(*args, **kwargs)
                h = self._seen()
                for branch in self.branches.values():
                    branch(h)
        finally:
            watch.seen = kept
            for part, mode in modes.items():
                part.training = mode
        return self

    def detach(self) -> None:
        """Take the hook off the module again, and let go of the last pass."""
        self._unhook()
        if self._watch is not None:
            self._watch.seen.clear()
        self._watch = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_watch": None, "_unhook": _nothing}

    def _alive(self) -> _Watch:
        if self._watch is None:
            raise InputError("this attachment is detached, or a copy; attach to the module anew")
        return self._watch

    def _seen(self) -> Tensor:
        """Return the representation of the last pass that counts, reversed, as the branches are.

        Returns
        -------
        Tensor of shape (N, H)
        """
        watch = self._alive()
        if self.training not in watch.seen:
            wanted = (
                "a forward pass of the module in training mode with gradients enabled (for an "
                "evaluation's passes call attachment.eval())"
                if self.training
                else "a forward pass of the module since attachment.eval()"
            )
            raise InputError(f"expected {wanted} through {watch.place}, got none yet")
        h = watch.seen[self.training]
        if any(is_lazy(parameter) for parameter in self.parameters()):
            self.to(h)
        if self.training and self.hidden and len(h) < 2:
            raise InputError(
                f"batch normalisation in training mode needs at least 2 rows, got {len(h)}: drop "
                "the last, smaller minibatch, or attach with hidden=()"
            )
        like = next(self.parameters())
        if like.device != h.device:
            raise InputError(
                f"the branches are on {like.device}, the output of {watch.place} is on {h.device}: "
                f"call attachment.to('{h.device}')"
            )
        return reverse(h).to(like.dtype)


class _Watch:
    """The forward hook: keeps the representation of the last pass that counts, for each mode.

    A copy, which is what a copied or pickled module gets, sees nothing.
    """

    def __init__(
        self,
        owner: Attachment,
        module: nn.Module,
        point: nn.Module,
        pool: Callable[[Any], Tensor],
    ) -> None:
        # The module holds this hook: only the owner may keep what the hook keeps alive.
        self.owner = weakref.ref(owner)
        self.module, self.point, self.pool = module, point, pool
        self.seen: dict[bool, Tensor] = {}
        names = [name for name, part in module.named_modules() if part is point]
        self.place = repr(names[0]) if names and names[0] else "the module"

    def __call__(self, module: nn.Module, args: object, output: Any) -> None:
        owner = self.owner()
        if owner is None or module is not self.point:
            return
        if not owner.training:
            self.seen[False] = self.representation(output)
        elif self.module.training and torch.is_grad_enabled():
            self.seen.pop(False, None)
            self.seen[True] = self.representation(output)

    def representation(self, output: Any) -> Tensor:
        """Return what the branches are fed with, of shape (N, H).

        A copy, since what follows may change the output in place.
        """
        h = self.pool(output)
        if not isinstance(h, Tensor) or h.ndim != 2 or not h.is_floating_point():
            raise InputError(
                f"pool must return floating-point numbers of shape (N, H), got {_described(h)} "
                f"from the output of {self.place}"
            )
        return h.to(torch.promote_types(h.dtype, torch.float32), copy=True)

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return _Blind, ()


class _Blind:
    """What stands for the hook in a copy of the module."""

    def __call__(self, module: nn.Module, args: object, output: object) -> None: ...


def _nothing() -> None: ...


def _pooled(output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError(
            f"the output is a {type(output).__name__}, not a tensor: give pool, a callable that "
            "gets it and returns a tensor of shape (N, H), such as pool=lambda output: output[0]"
        )
    if not output.is_floating_point() or not 2 <= output.ndim <= 5:
        raise InputError(
            "expected floating-point numbers of shape (N, H), (N, T, H) or (N, C, ...) with one to "
            f"three axes of space, got {_described(output)}: choose another submodule or give pool"
        )
    if output.ndim == 2:
        return output
    over = (1,) if output.ndim == 3 else tuple(range(2, output.ndim))
    return output.mean(over, dtype=torch.promote_types(output.dtype, torch.float32))


class _Linear(nn.LazyLinear):
    """A fully connected layer whose inputs are counted in the first pass.

    Weights are drawn from N(0, 1/fan_in), as in the network of the paper, on the CPU and in single
    precision, so that they are the same on every device.
    """

    cls_to_become = nn.Linear

    def __init__(self, units: int, bias: bool, seed: int, name: str) -> None:
        super().__init__(units, bias)
        self._draw = (seed, name)

    def reset_parameters(self) -> None:
        """Draw nothing: torch's own draw would be from the global generator."""

    @torch.no_grad()
    def initialize_parameters(self, input: Tensor) -> None:
        self.in_features = input.shape[-1]
        if not self.has_uninitialized_params():
            return
        shape = (self.out_features, self.in_features)
        seed, name = self._draw
        draw = torch.randn(shape, generator=torch_generator(seed, "attach", name))
        self.weight.materialize(shape)
        self.weight.copy_(draw * self.in_features**-0.5)
        if self.bias is not None:
            self.bias.materialize((self.out_features,))
            self.bias.zero_()


def _branch(hidden: Sequence[int], outputs: int, seed: int, name: str) -> nn.Sequential:
    """Return one attribute's branch, from (N, H) to (N, outputs).

    As in the paper's network there is no bias before a batch normalisation, which would cancel it.
    """
    layers: list[nn.Module] = []
    for i, units in enumerate(hidden):
        layers += [_Linear(units, False, seed, f"{name}.{i}"), nn.BatchNorm1d(units), nn.ReLU()]
    return nn.Sequential(*layers, _Linear(outputs, True, seed, f"{name}.head"))


def _outputs(groups: int | str) -> int:
    return groups if isinstance(groups, int) and groups > 2 else 1


def _spoken(output: Tensor, own: Tensor | None, numbers: int) -> Tensor:
    """Return what each row's own head says of it, shape (N, numbers), of all heads' (N, ...)."""
    if own is None:
        return output
    by_head = output.reshape(len(output), -1, numbers)
    return by_head[torch.arange(len(own), device=own.device), own]


def _mean_loss(output: Tensor, truth: Tensor, known: Tensor, groups: int | str) -> Tensor:
    """Return a branch's mean loss over the rows whose value is known; 0 if none is.

    Parameters
    ----------
    output : Tensor of shape (N, 1) or (N, groups)
    truth : Tensor of shape (N,)
    known : bool Tensor of shape (N,)
    """
    output = output.to(torch.promote_types(output.dtype, torch.float32))
    if groups == CONTINUOUS:
        each = (output[:, 0] - truth).square()
    elif groups == 2:
        each = F.binary_cross_entropy_with_logits(
            output[:, 0], truth.to(output.dtype), reduction="none"
        )
    else:
        each = F.cross_entropy(output, truth.long(), reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


def _values(name: str, given: Any, groups: int | str, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return an attribute's values, 0 where unknown, and where they are known, each (N,)."""
    try:
        values = torch.as_tensor(given, device=h.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: expected a tensor, got {_described(given)}: {error}") from None
    if values.shape != h.shape[:1]:
        raise InputError(
            f"{name}: expected shape {tuple(h.shape[:1])}, a value for each row of the last pass "
            f"that counts, got {tuple(values.shape)}"
        )
    if values.is_complex():
        raise InputError(f"{name}: expected real numbers, got {values.dtype}")
    known = ~values.isnan()
    if groups == CONTINUOUS:
        wrong = values.isinf()
        expected = "finite numbers, or nan where unknown"
    else:
        if not values.is_floating_point():
            values = values.long()
            known = values != MISSING
        wrong = known & ((values < 0) | (values >= int(groups)) | (values != values.round()))
        expected = f"codes from 0 to {int(groups) - 1}, or -1 (nan among floats) where unknown"
    if wrong.any():
        came = sorted(set(values[wrong].tolist()))[:5]
        raise InputError(f"{name}: expected {expected}, got {', '.join(map(str, came))}")
    return torch.where(known, values, 0).to(h.dtype), known


def _find(module: nn.Module, at: object) -> tuple[nn.Module, nn.Module]:
    """Return the module, out of what torch.compile wraps it in, and the submodule meant."""
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
        raise InputError(f"at must return a submodule of the module, got {_described(point)}")
    if not any(part is point for part in module.modules()):
        raise InputError(f"at returned a {type(point).__name__} that is no part of the module")
    return module, point


def _checked_protected(protected: object) -> dict[str, int | str]:
    if not isinstance(protected, Mapping) or not protected:
        raise InputError(
            "protected must map at least one attribute's name to its number of groups or "
            f"'continuous', got {protected!r}"
        )
    checked: dict[str, int | str] = {}
    for name, groups in protected.items():
        if not isinstance(name, str):
            raise InputError(f"protected: names must be strings, got {name!r}")
        if groups != CONTINUOUS and not checks.is_whole(groups, 2):
            raise InputError(
                f"{name}: expected the number of groups, at least 2, or 'continuous', got {groups!r}"
            )
        if _key(name) in map(_key, checked):
            raise InputError(f"protected: {name!r} and another name differ in dots only")
        checked[name] = CONTINUOUS if groups == CONTINUOUS else int(groups)
    return checked


def _checked_constraint(constraint: str, classes: int) -> tuple[str, int]:
    rule = constraint_named(constraint)
    if not checks.is_whole(classes, 2):
        raise InputError(f"classes: expected the number of labels, at least 2, got {classes!r}")
    rule.check(Branch.of_groups("target", int(classes)))
    return constraint, int(classes)


def _check_names(what: str, given: object, expected: Mapping[str, object]) -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{what}: expected a mapping by attribute name, got {_described(given)}")
    for name in given:
        if name not in expected:
            raise unknown("protected attribute", name, expected)
    absent = [name for name in expected if name not in given]
    if absent:
        raise InputError(
            f"{what}: expected {', '.join(map(repr, expected))}, got no {', '.join(map(repr, absent))}"
        )


def _key(name: str) -> str:
    """Return an attribute's name as torch allows it for a submodule: no dot, no method's name."""
    return f"attribute_{name.replace('.', '_')}"


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return f"{type(value).__name__}"
