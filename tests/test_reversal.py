import torch

from grad_ext.reversal import fork


def test_forward_is_the_matrix_product_and_only_marked_rows_reverse():
    generator = torch.Generator().manual_seed(0)
    trunk = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    multiplier = torch.tensor([[1.0], [1.0], [-1.0], [-1.0], [-1.0]], dtype=torch.float64)
    out = fork(trunk, weight, multiplier)
    assert torch.equal(out, weight @ trunk)
    upstream = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    to_trunk, to_weight = torch.autograd.grad(out, (trunk, weight), upstream)

    # By hand, for one member and one row of the minibatch: dL/dh_i = sum_r sign_r W_ri g_r.
    for p in range(2):
        for b in range(4):
            for i in range(3):
                expected = sum(
                    float(multiplier[r])
                    * float(weight.detach()[p, r, i])
                    * float(upstream[p, r, b])
                    for r in range(5)
                )
                assert abs(float(to_trunk[p, i, b]) - expected) < 1e-12
    # The branches' own weights learn in the ordinary direction.
    torch.testing.assert_close(to_weight, upstream @ trunk.detach().transpose(1, 2))
