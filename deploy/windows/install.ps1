#Requires -Version 5.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Cài tác nhân Hạ Tầng từ tệp zip. / Installs the Ha Tang agent from the zip.

.DESCRIPTION
Cho nơi không dùng được tệp MSI. Chạy lại là nâng cấp; danh tính được giữ.
For where the MSI cannot be used. Running it again upgrades; the identity is kept.

Giải nén, mở PowerShell bằng "Run as administrator", rồi / unpack, open PowerShell as administrator, then:

  powershell.exe -NoProfile -ExecutionPolicy Bypass -File install.ps1 -Url https://10.0.0.5:8443 -Pin PIN -Token TOKEN

Mã thoát / exit code: 0 xong / done; 1 hỏng / failed; 3 đã cài, chưa ghi danh được / installed, not enrolled yet.

.PARAMETER Url
Địa chỉ ghi danh của bộ thu / address of the collector where machines enrol.
.PARAMETER Pin
Mã ghim của bộ thu / pin of the collector's authority.
.PARAMETER Token
Mã ghi danh / enrolment token.
#>
[CmdletBinding()]
param(
    [string]$Url = '',
    [string]$Pin = '',
    [string]$Token = '',
    [string]$Label = '',
    [string]$AssetCode = '',
    [string]$StaffGroup = '',
    [int]$WaitSeconds = 90
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Name = 'hatang-agent'
$Source = Join-Path $PSScriptRoot 'app'
$Target = Join-Path $env:ProgramFiles $Name
$State = Join-Path $env:ProgramData $Name
$HandOver = "SOFTWARE\$Name\Enrol"

function Stop-WithMessage([string]$Text) {
    Write-Host "install.ps1: $Text" -ForegroundColor Red
    exit 1
}

function Invoke-ServiceControl([string[]]$Words) {
    $said = & sc.exe $Words
    if ($LASTEXITCODE -ne 0) {
        Stop-WithMessage "sc.exe $($Words -join ' '): $($said -join ' ')"
    }
}

function Test-Surrounding {
    if (-not [Environment]::Is64BitProcess) {
        Stop-WithMessage 'PowerShell 32 bit; dùng bản 64 bit / this is a 32-bit PowerShell, use the 64-bit one'
    }
    if ([Environment]::OSVersion.Version.Major -lt 10) {
        Stop-WithMessage 'cần Windows 10 trở lên / Windows 10 or later is needed'
    }
    if (-not (Test-Path -LiteralPath (Join-Path $Source 'python\python.exe'))) {
        Stop-WithMessage "$Source không đủ; giải nén lại toàn bộ / is not complete, unpack the whole zip again"
    }
    if (($Url -eq '') -ne ($Token -eq '')) {
        Stop-WithMessage 'thiếu -Url hoặc -Token / give both -Url and -Token, or neither'
    }
    $listed = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*'
    $packages = Get-ItemProperty -Path $listed | Where-Object {
        $_.PSObject.Properties['DisplayName'] -and $_.DisplayName -eq 'Ha Tang agent'
    }
    if ($packages) {
        Stop-WithMessage 'đã cài bằng MSI; nâng cấp bằng MSI / installed by the MSI, upgrade with the MSI'
    }
}

function Copy-Program {
    if (Get-Service -Name $Name -ErrorAction SilentlyContinue) {
        Stop-Service -Name $Name -Force
    }
    $new = "$Target.new"
    foreach ($folder in @($new, $Target)) {
        if (Test-Path -LiteralPath $folder) {
            Remove-Item -LiteralPath $folder -Recurse -Force
        }
    }
    Copy-Item -LiteralPath $Source -Destination $new -Recurse
    # What came from the Internet zone is marked file by file; marked programs ask before they start.
    Get-ChildItem -LiteralPath $new -Recurse -File | Unblock-File
    Rename-Item -LiteralPath $new -NewName $Name
}

function Set-AgentService {
    if (-not (Get-Service -Name $Name -ErrorAction SilentlyContinue)) {
        $program = '"{0}" -B -X utf8 -m hatang_agent.service_windows' -f (Join-Path $Target 'python\python.exe')
        $description = 'Measures this computer for its Ha Tang collector.'
        New-Service -Name $Name -DisplayName 'Ha Tang agent' -Description $description `
            -BinaryPathName $program -StartupType Automatic | Out-Null
    }
    Invoke-ServiceControl @('config', $Name, 'start=', 'delayed-auto')
    Invoke-ServiceControl @('failure', $Name, 'reset=', '86400', 'actions=', 'restart/60000/restart/300000/restart/900000')
    Invoke-ServiceControl @('failureflag', $Name, '1')
}

function Set-HandOver {
    # Closed before anything is written into it: only SYSTEM and administrators read the token.
    $security = New-Object System.Security.AccessControl.RegistrySecurity
    $security.SetSecurityDescriptorSddlForm('D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)')
    $check = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    $key = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($HandOver, $check, $security)
    $key.SetAccessControl($security)
    $values = @{ Url = $Url; Pin = $Pin; Token = $Token; Label = $Label; AssetCode = $AssetCode; StaffGroup = $StaffGroup }
    foreach ($value in $values.GetEnumerator()) {
        $key.SetValue($value.Key, $value.Value)
    }
    $key.Close()
}

function Wait-Identity {
    $credential = Join-Path $State 'credential.json'
    $log = Join-Path $State 'agent.log'
    $until = (Get-Date).AddSeconds($WaitSeconds)
    while (-not (Test-Path -LiteralPath $credential)) {
        if ((Get-Date) -gt $until) {
            Write-Host 'đã cài, chưa ghi danh được; dịch vụ sẽ thử lại / installed, not enrolled yet; the service tries again:'
            if (Test-Path -LiteralPath $log) {
                Get-Content -LiteralPath $log -Tail 3 -Encoding UTF8 | Write-Host
            }
            exit 3
        }
        Start-Sleep -Seconds 1
    }
}

Test-Surrounding
Copy-Program
Set-AgentService
if ($Token -ne '') {
    Set-HandOver
}
Start-Service -Name $Name
if ($Token -ne '') {
    Wait-Identity
}
Write-Host 'xong / done'
exit 0
