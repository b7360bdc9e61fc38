"""How packs are computed: networks, their passes forward and backward, minibatches, Adam."""
