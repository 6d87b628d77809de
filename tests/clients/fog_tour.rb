# What fog-openstack, as it is released, does with the appliance; prints what it saw as one JSON object.

require 'fog/openstack'
require 'json'

WHO = { openstack_auth_url: ENV['OS_AUTH_URL'].delete_suffix('/v3'), openstack_username: ENV['OS_USERNAME'],
        openstack_api_key: ENV['OS_PASSWORD'] }.freeze
V3 = WHO.merge(openstack_project_name: ENV['OS_PROJECT_NAME'], openstack_domain_id: 'default').freeze
V2 = WHO.merge(openstack_tenant: ENV['OS_PROJECT_NAME'], openstack_identity_api_version: 'v2.0').freeze
FILE = ENV['FILE']
BYTES = File.binread(FILE)
seen = {}

# Image API v2
images = Fog::OpenStack::Image.new(V3.dup)
seen[:image_class] = images.class.name
image = images.images.create(name: 'fög two', disk_format: 'raw', container_format: 'bare', tags: ['one'], min_ram: 64)
image.upload_data(File.open(FILE, 'rb'))
image = images.images.get(image.id)
seen[:uploaded] = { status: image.status, size: image.size, checksum: image.checksum, name: image.name }
chunked = images.images.create(name: 'chunked', disk_format: 'raw', container_format: 'bare')
pieces = BYTES.scan(/.{1,65536}/mn)
chunked.upload_data(request_block: -> { pieces.shift.to_s })
seen[:chunked] = images.images.get(chunked.id).checksum
seen[:downloaded_whole] = image.download_data == BYTES
parts = +''.b
image.download_data(response_block: ->(part, _left, _total) { parts << part })
seen[:downloaded_in_parts] = parts == BYTES
seen[:listed] = images.images.all.map(&:id).include?(image.id)
seen[:listed_page] = images.images.all(limit: 1, sort_key: 'name', sort_dir: 'asc').map(&:name)
seen[:found] = images.images.find_by_name('fög two').map(&:id) == [image.id]
image.update(name: 'renamed', min_disk: 3, os_distro: 'debian')
image = images.images.get(image.id)
seen[:updated] = { name: image.name, min_disk: image.min_disk, os_distro: image.os_distro }
image.add_tags(%w[two three])
image.remove_tag('one')
seen[:tags] = images.images.get(image.id).tags.sort
image.deactivate
seen[:deactivated] = images.images.get(image.id).status
image.reactivate
seen[:reactivated] = images.images.get(image.id).status

# Identity API v3
identity = Fog::OpenStack::Identity.new(V3.dup)
seen[:identity_class] = identity.class.name
project = identity.projects.create(name: 'fog-project')
role = identity.roles.all(name: 'member').first
user = identity.users.create(name: 'fog-user', password: 'fog-user-password', default_project_id: project.id)
project.grant_role_to_user(role.id, user.id)
seen[:role_granted] = project.check_user_role(user.id, role.id)
seen[:assigned] = identity.role_assignments.all(user_id: user.id).map { |one| one.scope['project']['id'] } == [project.id]
seen[:projects] = identity.auth_projects.body['projects'].map { |one| one['name'] }.include?('admin')
seen[:users] = identity.users.all(name: 'fog-user').map(&:id) == [user.id]
group = identity.groups.create(name: 'fog-group', description: 'of fog')
group.add_user(user.id)
seen[:in_group] = group.contains_user?(user.id)
%i[domains services endpoints regions roles groups].each do |name|
  seen["listed_#{name}"] = identity.send(name).all.size if identity.respond_to?(name)
end
theirs = Fog::OpenStack::Image.new(WHO.merge(openstack_username: 'fog-user', openstack_api_key: 'fog-user-password',
                                             openstack_project_id: project.id, openstack_user_domain_id: 'default'))
token = theirs.instance_variable_get(:@auth_token)
seen[:validated] = identity.token_validate(token).body['token']['user']['id'] == user.id

# Sharing with that user's project
image.update(visibility: 'shared')
image.add_member(project.id)
seen[:member] = image.members.map { |one| one['status'] }
theirs.update_image_member(image.id, 'member_id' => project.id, 'status' => 'accepted')
seen[:accepted] = image.member(project.id)['status']
seen[:listed_by_the_member] = theirs.images.all.map(&:id).include?(image.id)
seen[:downloaded_by_the_member] = theirs.images.get(image.id).download_data == BYTES
image.remove_member(project.id)
seen[:gone_for_the_member] = theirs.images.get(image.id).nil?
identity.token_revoke(token)
seen[:logged_in_anew] = theirs.images.all.size # fog logs in again after a 401
[image, chunked].each(&:destroy)
seen[:deleted] = images.images.get(image.id).nil?
[user, group, project].each(&:destroy)

# Identity API v2.0 and Image API v1, of the time of fog's first OpenStack code
old = Fog::OpenStack::Identity.new(V2.dup)
seen[:old_identity_class] = old.class.name
tenant = old.tenants.create(name: 'fog-tenant', description: 'of old', enabled: true)
old_user = old.users.create(name: 'fog-old', password: 'fog-old-password', email: 'fog@example.com', tenant_id: tenant.id, enabled: true)
old_role = old.roles.create(name: 'fog-role')
tenant.grant_user_role(old_user.id, old_role.id)
seen[:old_tenants] = old.tenants.all.map(&:name).include?('fog-tenant')
seen[:old_users] = old.users.all.map(&:name).include?('fog-old')
legacy = Fog::OpenStack::Image::V1.new(V2.merge(openstack_service_type: ['image']))
one = legacy.images.create(name: 'fog one', disk_format: 'raw', container_format: 'bare', location: FILE,
                           properties: { 'distro' => 'debian' }, is_public: false)
seen[:v1_created] = { status: one.status, checksum: one.checksum, properties: one.properties }
seen[:v1_metadata] = one.metadata['X-Image-Meta-Property-Distro']
one.name = 'fog one renamed'
one.update
seen[:v1_renamed] = legacy.images.find_by_id(one.id)&.name
seen[:v1_still_there] = legacy.images.all.find { |each| each.id == one.id }&.status
one.add_member(tenant.id)
seen[:v1_members] = one.members.map { |each| each['member_id'] } == [tenant.id]
seen[:v1_shared] = legacy.get_shared_images(tenant.id).body['shared_images'].map { |each| each['image_id'] } == [one.id]
one.update_members([])
seen[:v1_members_left] = one.members.size
one.destroy
seen[:v1_deleted] = legacy.images.all.none? { |each| each.id == one.id }
tenant.revoke_user_role(old_user.id, old_role.id)
[old_user, old_role, tenant].each(&:destroy)

puts JSON.generate(seen)
