"""Exercise 2: walk the tape backwards.

A node is one number of a computation. It knows its parents, the numbers that it was made of, and the derivative of
itself by each of them. Two rules suffice: gradients that arrive at a node over several ways are added, and a node
passes on its gradient once it is complete.
"""


class Node:
    """A number on the tape: `parents` are nodes, `slopes` the derivatives by them, and `grad` is yours to fill."""

    def __init__(self, parents=(), slopes=()):
        self.parents = parents
        self.slopes = slopes
        self.grad = 0.0


def backward(end):
    """Leave in the `grad` of every node that `end` was made of, and of `end`, the derivative of `end` by that node.

    All `grad` are 0 at first. The chain may be 100,000 nodes long, and a node may be used many times.

    For b = a + a and c = 3 b, c's derivative by b is 3, and by a it is 3 + 3:

    >>> a = Node()
    >>> b = Node((a, a), (1.0, 1.0))
    >>> c = Node((b,), (3.0,))
    >>> backward(c)
    >>> a.grad, b.grad, c.grad
    (6.0, 3.0, 1.0)
    """
    # A node may only pass on its gradient when all of its users have passed on theirs. So count the users first: every
    # node is visited once, with a list of what is still to visit, because Python's own stack ends after 1,000 calls.
    users, to_visit = {end: 0}, [end]
    while to_visit:
        for parent in to_visit.pop().parents:
            if parent not in users:
                users[parent] = 0
                to_visit.append(parent)
            users[parent] += 1
    # The derivative of the end by itself.
    end.grad = 1.0
    # A node is ready when no user is left: that is the reverse topological order.
    ready = [end]
    while ready:
        node = ready.pop()
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            # The chain rule, summed over all ways: add, never assign.
            parent.grad += node.grad * slope
            users[parent] -= 1
            if users[parent] == 0:
                ready.append(parent)
