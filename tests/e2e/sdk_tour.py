"""Run by the clients' own Python: openstacksdk creates, finds, changes, downloads and deletes an image."""

import hashlib
import io
import sys

import openstack

path = sys.argv[1]
with open(path, "rb") as file:
    data = file.read()
cloud = openstack.connect()

image = cloud.create_image(
    "sdk", filename=path, disk_format="qcow2", container_format="bare", wait=True, timeout=60, visibility="private"
)
assert image.status == "active" and image.size == len(data), image
assert image.hash_value == hashlib.sha512(data).hexdigest()

assert cloud.image.find_image("sdk").id == image.id
cloud.image.update_image(image, hw_disk_bus="virtio", min_disk=1)
assert cloud.image.get_image(image.id).hw_disk_bus == "virtio"
cloud.image.add_tag(image, "from-sdk")
assert [found.id for found in cloud.image.images(tag="from-sdk")] == [image.id]

out = io.BytesIO()
cloud.image.download_image(image, output=out)
assert out.getvalue() == data

cloud.image.delete_image(image.id)
assert cloud.image.find_image("sdk") is None

# What an administrator does to clear out a cloud: the page goes on behind an image that was just deleted.
mine = [cloud.image.create_image(f"page-{number}", tags=["paged"]).id for number in range(4)]
gone = []
for found in cloud.image.images(limit=1, tag="paged"):
    cloud.image.delete_image(found)
    gone.append(found.id)
assert gone == mine[::-1], (gone, mine)
print("toured")
