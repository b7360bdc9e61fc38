"""The plain version: one model, built from torch.nn and trained as the paper reads.

Slow and obvious, and independent of grad_ext's network: the gradient is reversed by the
identity (1 + s) h.detach() - s h, whose value is h and whose derivative is -s.
"""

import math

import torch
from torch import nn


def layers(width, sizes):
    """Fully connected, batch-normalised, rectified."""
    parts = []
    for units in sizes:
        parts += [nn.Linear(width, units, bias=False), nn.BatchNorm1d(units), nn.ReLU()]
        width = units
    return nn.Sequential(*parts), width


class PlainGRAD(nn.Module):
    """Trunk, target branch, one attribute branch for each protected attribute."""

    def __init__(
        self,
        features,
        trunk=(40, 40),
        branch=(40, 40),
        attributes=1,
        adversary_input="representation",
        heads=1,
    ):
        super().__init__()
        self.trunk, width = layers(features, trunk)
        self.adversary_input = adversary_input
        branches = []
        for m in range(1 + attributes):
            if m and adversary_input == "prediction":
                branches.append(nn.Sequential(nn.Sequential(), nn.Linear(2, heads)))
                continue
            hidden, last = layers(width, branch)
            branches.append(nn.Sequential(hidden, nn.Linear(last, heads if m else 1)))
        self.target, *self.attributes = branches
        self.branches = nn.ModuleList(branches)

    def forward(self, x, strengths=None, masks=(), strata=None, back=None):
        """Reverse by each attribute's strength; multiply rectified units by the masks in turn.

        Of several heads, the one of the row's stratum predicts it. With weights `back`, the reversed
        gradient is multiplied by them instead of the heads' own.
        """
        masks = iter(masks)
        h = dropping(self.trunk, x, masks)
        hidden, head = self.target
        target = head(dropping(hidden, h, masks))[:, 0]
        strengths = strengths or [1.0] * len(self.attributes)
        if self.adversary_input == "prediction":
            h = 4 * torch.sigmoid(torch.stack([target, 5 * target], 1)) - 2
        own = torch.zeros(len(x), dtype=torch.int64) if strata is None else strata.long()
        if back is not None:
            change = h - h.detach()
            logits = [
                branch(h.detach()) - s * change @ weight.T
                for branch, s, weight in zip(self.attributes, strengths, back, strict=True)
            ]
        else:
            logits = [
                branch((1 + s) * h.detach() - s * h)
                for branch, s in zip(self.attributes, strengths, strict=True)
            ]
        return target, [one[torch.arange(len(x)), own] for one in logits]


def dropping(parts, x, masks):
    for part in parts:
        x = part(x)
        if isinstance(part, nn.ReLU):
            x = x * next(masks, 1.0)
    return x


def copy_weights(plain, network, member):
    """Give the plain model one member's initial weights; biases start at zero."""
    values = network.parameters
    with torch.no_grad():
        linears = [m for m in plain.trunk if isinstance(m, nn.Linear)]
        for i, linear in enumerate(linears):
            linear.weight.copy_(values[f"trunk.{i}.weight"][member])
        for m, branch in enumerate(plain.branches):
            hidden, head = branch
            for i, linear in enumerate([x for x in hidden if isinstance(x, nn.Linear)]):
                linear.weight.copy_(values[f"branch.{i}.weight"][member, m])
            head.weight.copy_(values[f"{network.shape.names[m]}.head.weight"][member])
            head.bias.zero_()


def train_steps(plain, lam, X, y, a, w, batches, optimiser):
    """Train on the given minibatches (lists of rows), one step each."""
    plain.train()
    for rows in batches:
        target, attributes = plain(X[rows])
        loss = _logistic(target, y[rows], w[rows])
        for k, logit in enumerate(attributes):
            loss = loss + lam * _logistic(logit, a[rows, k], w[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def train_steady_steps(plain, settings, strengths, X, y, a, w, a_w, batches, masks, heads=1):
    """Train as `train_steps` does, the steady way, on all the minibatches there will be."""
    plain.train()
    shared = [*plain.trunk.parameters(), *plain.target.parameters()]
    rates = [settings.learning_rate, settings.attribute_learning_rate]
    optimiser = torch.optim.Adam(
        [{"params": shared}, {"params": [p for b in plain.attributes for p in b.parameters()]}],
        betas=(settings.beta1, 0.999),
    )
    ema = [b[-1].weight.detach().clone() for b in plain.attributes]
    for step, (rows, dropped) in enumerate(zip(batches, masks, strict=True)):
        done = step / len(batches)
        left = (1 + math.cos(math.pi * done)) / 2
        share = 2 / (1 + math.exp(-settings.warmup * done)) - 1
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (
                settings.final_lr_fraction + (1 - settings.final_lr_fraction) * left
            )
        strata = y[rows] if heads > 1 else None
        back = None
        if plain.adversary_input == "prediction":
            now = [b[-1].weight.detach().clone() for b in plain.attributes]
            pairs = list(zip(now, ema, strict=True))
            back = [new + settings.extrapolation * (new - old) for new, old in pairs]
            ema = [0.9 * old + 0.1 * new for new, old in pairs]
        target, attributes = plain(X[rows], [share * s for s in strengths], dropped, strata, back)
        loss = _logistic(target, y[rows], w[rows])
        for k, logit in enumerate(attributes):
            loss = loss + _logistic(logit, a[rows, k], a_w[rows, k])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _logistic(logit, label, weight):
    return nn.functional.binary_cross_entropy_with_logits(logit, label, weight=weight)
