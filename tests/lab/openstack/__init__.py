"""What stands for a cloud: Keystone, Nova, Placement, Glance and Neutron as they were seen to answer.

Its catalogue names the private side of its network, as a cloud behind NAT does. Its machines really run: each is an SSH
server with a home of its own, with the host key and the login that its user data brought.
"""
