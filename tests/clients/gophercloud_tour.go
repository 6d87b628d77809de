// What gophercloud, as Debian packages it, does with the appliance; prints what it saw as one JSON object.
package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/openstack"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/roles"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/users"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/imagedata"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/imageimport"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/images"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/members"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/tasks"
)

var seen = map[string]interface{}{}

func finish(code int) {
	text, _ := json.Marshal(seen)
	fmt.Println(string(text))
	os.Exit(code)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		finish(1)
	}
}

// refused is the status that a call failed with.
func refused(err error) int {
	switch failure := err.(type) {
	case gophercloud.ErrDefault401:
		return failure.Actual
	case gophercloud.ErrDefault403:
		return failure.Actual
	case gophercloud.ErrDefault404:
		return failure.Actual
	case gophercloud.ErrDefault409:
		return failure.Actual
	}
	return 0
}

func imageClient(options gophercloud.AuthOptions) *gophercloud.ServiceClient {
	provider, err := openstack.AuthenticatedClient(options)
	must(err)
	client, err := openstack.NewImageServiceV2(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	must(err)
	return client
}

func download(client *gophercloud.ServiceClient, id string) string {
	body, err := imagedata.Download(client, id).Extract()
	must(err)
	digest := md5.New()
	_, err = io.Copy(digest, body)
	must(err)
	return hex.EncodeToString(digest.Sum(nil))
}

func waitFor(client *gophercloud.ServiceClient, id string, status images.ImageStatus) *images.Image {
	for {
		image, err := images.Get(client, id).Extract()
		must(err)
		if image.Status == status || image.Status == "killed" {
			return image
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func create(client *gophercloud.ServiceClient, name string) *images.Image {
	image, err := images.Create(client, images.CreateOpts{
		Name: name, ContainerFormat: "bare", DiskFormat: "raw", MinDisk: 1, MinRAM: 64, Tags: []string{"go"},
		Properties: map[string]string{"os_distro": "debian", "empty": ""},
	}).Extract()
	must(err)
	return image
}

func imageTour(client *gophercloud.ServiceClient, content []byte) *images.Image {
	image := create(client, "go ü")
	seen["created"] = []interface{}{image.Status, image.MinDiskGigabytes, image.Properties["os_distro"]}
	must(imagedata.Upload(client, image.ID, bytes.NewReader(content)).ExtractErr())
	image, err := images.Get(client, image.ID).Extract()
	must(err)
	seen["uploaded"] = []interface{}{image.Status, image.SizeBytes, image.Checksum}
	seen["downloaded"] = download(client, image.ID)
	second := create(client, "go second")
	// An io.Reader whose length Go does not know is sent in chunks.
	must(imagedata.Upload(client, second.ID, io.MultiReader(bytes.NewReader(content))).ExtractErr())
	seen["uploaded_in_chunks"] = download(client, second.ID)
	third := create(client, "go third")
	must(imagedata.Stage(client, third.ID, bytes.NewReader(content)).ExtractErr())
	methods, err := imageimport.Get(client).Extract()
	must(err)
	seen["methods"] = strings.Contains(strings.Join(methods.ImportMethods.Value, " "), "glance-direct")
	must(imageimport.Create(client, third.ID, imageimport.CreateOpts{Name: imageimport.GlanceDirectMethod}).ExtractErr())
	seen["imported"] = waitFor(client, third.ID, images.ImageStatusActive).Checksum
	pages, err := images.List(client, images.ListOpts{Limit: 1, Sort: "name:asc", Tags: []string{"go"}}).AllPages()
	must(err)
	listed, err := images.ExtractImages(pages)
	must(err)
	names := []string{}
	for _, each := range listed {
		names = append(names, each.Name)
	}
	seen["listed"] = names
	changed, err := images.Update(client, image.ID, images.UpdateOpts{
		images.ReplaceImageName{NewName: "go renamed"},
		images.ReplaceImageTags{NewTags: []string{"x", "y"}},
		images.ReplaceImageMinRam{NewMinRam: 128},
		images.UpdateVisibility{Visibility: images.ImageVisibilityShared},
		images.UpdateImageProperty{Op: images.ReplaceOp, Name: "os_distro", Value: "ubuntu"},
		images.UpdateImageProperty{Op: images.RemoveOp, Name: "empty"},
	}).Extract()
	must(err)
	seen["updated"] = []interface{}{changed.Name, changed.MinRAMMegabytes, changed.Properties["os_distro"], len(changed.Tags)}
	for _, each := range []string{second.ID, third.ID} {
		must(images.Delete(client, each).ExtractErr())
	}
	_, err = images.Get(client, second.ID).Extract()
	seen["deleted"] = refused(err)
	_, err = tasks.List(client, tasks.ListOpts{}).AllPages()
	must(err)
	return changed
}

func identityTour(provider *gophercloud.ProviderClient) (string, string) {
	client, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	must(err)
	project, err := projects.Create(client, projects.CreateOpts{Name: "go-project", Description: "of Go"}).Extract()
	must(err)
	user, err := users.Create(client, users.CreateOpts{Name: "go-user", Password: "go-user-password"}).Extract()
	must(err)
	pages, err := roles.List(client, roles.ListOpts{Name: "member"}).AllPages()
	must(err)
	found, err := roles.ExtractRoles(pages)
	must(err)
	must(roles.Assign(client, found[0].ID, roles.AssignOpts{UserID: user.ID, ProjectID: project.ID}).ExtractErr())
	pages, err = roles.ListAssignments(client, roles.ListAssignmentsOpts{UserID: user.ID}).AllPages()
	must(err)
	assigned, err := roles.ExtractRoleAssignments(pages)
	must(err)
	seen["assigned"] = len(assigned) == 1 && assigned[0].Scope.Project.ID == project.ID
	_, err = projects.Create(client, projects.CreateOpts{Name: "go-project"}).Extract()
	seen["conflict"] = refused(err)
	valid, err := tokens.Validate(client, provider.Token())
	must(err)
	seen["valid"] = valid
	return project.ID, user.ID
}

func applicationCredential(options gophercloud.AuthOptions, user string) int {
	provider, err := openstack.AuthenticatedClient(options)
	must(err)
	client, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	must(err)
	made, err := applicationcredentials.Create(client, user, applicationcredentials.CreateOpts{Name: "go"}).Extract()
	must(err)
	credential := imageClient(gophercloud.AuthOptions{
		IdentityEndpoint: options.IdentityEndpoint, ApplicationCredentialID: made.ID, ApplicationCredentialSecret: made.Secret,
	})
	pages, err := images.List(credential, images.ListOpts{}).AllPages()
	must(err)
	listed, err := images.ExtractImages(pages)
	must(err)
	return len(listed)
}

func main() {
	content, err := os.ReadFile(os.Getenv("FILE"))
	must(err)
	admin := gophercloud.AuthOptions{
		IdentityEndpoint: os.Getenv("OS_AUTH_URL"), Username: os.Getenv("OS_USERNAME"), Password: os.Getenv("OS_PASSWORD"),
		DomainName: "Default", TenantName: os.Getenv("OS_PROJECT_NAME"), AllowReauth: true,
	}
	client := imageClient(admin)
	seen["endpoint"] = strings.HasSuffix(client.ResourceBaseURL(), "/v2/")
	image := imageTour(client, content)
	project, user := identityTour(client.ProviderClient)
	member := admin
	member.Username, member.Password, member.TenantName, member.TenantID, member.DomainName = "", "go-user-password", "", project, ""
	member.UserID = user
	theirs := imageClient(member)
	_, err = images.Get(theirs, image.ID).Extract()
	seen["hidden"] = refused(err)
	_, err = members.Create(client, image.ID, project).Extract()
	must(err)
	accepted, err := members.Update(theirs, image.ID, project, members.UpdateOpts{Status: "accepted"}).Extract()
	must(err)
	seen["accepted"] = accepted.Status
	seen["downloaded_by_the_member"] = download(theirs, image.ID)
	seen["listed_with_application_credential"] = applicationCredential(member, user)
	must(members.Delete(client, image.ID, project).ExtractErr())
	// gophercloud logs in anew after a 401.
	identity, err := openstack.NewIdentityV3(client.ProviderClient, gophercloud.EndpointOpts{Region: "RegionOne"})
	must(err)
	must(tokens.Revoke(identity, theirs.Token()).Err)
	_, err = images.List(theirs, images.ListOpts{}).AllPages()
	must(err)
	must(images.Delete(client, image.ID).ExtractErr())
	wrong := admin
	wrong.Password = "wrong"
	_, err = openstack.AuthenticatedClient(wrong)
	seen["wrong_password"] = refused(err)
	finish(0)
}
