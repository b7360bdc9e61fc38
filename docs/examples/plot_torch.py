"""
A representation that unlearns
==============================

:func:`~grad_ext.models.attachment.attach` puts an attribute branch on any point of a torch module. Rows of two dimensions
show what its reversed gradient does to a representation of two units.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from grad_ext import attach, audit

# So small a network gains nothing from threads, which wait for each other on a busy machine.
torch.set_num_threads(1)

draw = torch.Generator().manual_seed(0)
group = torch.randint(2, (1000,), generator=draw)
# Label 1 for 75 % of the one group and 25 % of the other, so the group is worth knowing.
label = (torch.rand(1000, generator=draw) < 0.25 + 0.5 * group).long()
X = torch.randn(1000, 2, generator=draw) + torch.stack([1.5 * label, 2.5 * group], dim=1)


def trained(lam):
    """Return the representation of a network that was trained with a λ, and how often it is right."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2), nn.Tanh(), nn.Linear(2, 1)
        )
    attachment = attach(network, at="3", protected={"group": 2}, lam=lam, random_state=0)
    attachment.initialise(X[:2])
    # The branch learns faster than what it is to judge.
    parts = [{"params": attachment.parameters(), "lr": 0.01}, {"params": network.parameters()}]
    optimiser = torch.optim.Adam(parts, lr=0.001)
    for rows in torch.arange(1000).split(200) * 200:
        optimiser.zero_grad()
        logit = network(X[rows]).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, label[rows].float())
        (loss + attachment.loss({"group": group[rows]})).backward()
        optimiser.step()
    attachment.detach()
    network.eval()
    with torch.no_grad():
        right = ((network(X).squeeze(1) > 0) == label.bool()).float().mean()
        return network[:4](X), float(right)


# %%
# The AUC is how well fresh probes tell the group from the two units, 0.5 is chance. The group is worth knowing here,
# so hiding it costs accuracy; the majority class is right for about half of the rows.

figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axes, lam in zip(panels, (0.0, 1.0), strict=True):
    hidden, right = trained(lam)
    table = audit(hidden, None, {"group": group.numpy()}, folds=3).table
    auc = table.loc[table["source"] == "representation", "auc"].max()
    axes.scatter(*hidden.T, c=group, cmap="coolwarm", s=8, alpha=0.6)
    axes.set_title(f"λ = {lam:g}: accuracy {right:.2f}, AUC of the group {auc:.2f}")
    axes.set_xlabel("first unit")
panels[0].set_ylabel("second unit; colour: group")
